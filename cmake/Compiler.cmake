# What every target of the project is compiled with: the interface target samebits_flags.
add_library(samebits_flags INTERFACE)
add_library(samebits::flags ALIAS samebits_flags)
set_target_properties(samebits_flags PROPERTIES EXPORT_NAME flags)
target_compile_features(samebits_flags INTERFACE cxx_std_20)
# No contraction: a fused multiply-add rounds once where the numerics contract rounds twice.
target_compile_options(samebits_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off> $<$<COMPILE_LANGUAGE:CXX>:-fPIC>)
target_include_directories(samebits_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
set(CMAKE_CXX_EXTENSIONS OFF)

# Our own files only; headers of others are SYSTEM.
add_library(samebits_warnings INTERFACE)
target_compile_options(samebits_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wno-sign-conversion;-Wno-missing-field-initializers>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${SAMEBITS_WERROR}>>:-Werror>)

if(SAMEBITS_SANITIZE)
  # GCC 12 takes the checks that sanitizers add to headers of others for uses of values that were never set.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${SAMEBITS_SANITIZE}> 
    $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer> $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${SAMEBITS_SANITIZE})
endif()

if(SAMEBITS_TIDY)
  find_program(CLANG_TIDY clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${CLANG_TIDY} --quiet)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # The sloppiness that ccache asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
