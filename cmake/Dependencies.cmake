# Every library that the project uses, found in one place. apt.txt and requirements.txt install them.
if(CMAKE_CROSSCOMPILING)
  include(CrossDependencies)
else()
  find_package(hwy REQUIRED)            # kernels: SIMD
  find_package(nlohmann_json REQUIRED)  # runtime, training: JSON
  find_package(CLI11 REQUIRED)          # samebits-run, training: command lines
endif()
find_package(Threads REQUIRED)

# A library without a CMake package, as samebits_NAME.
function(samebits_find name header file package)
  find_path(SAMEBITS_${name}_INCLUDE ${header})
  find_library(SAMEBITS_${name}_LIBRARY ${file})
  if(NOT SAMEBITS_${name}_INCLUDE OR NOT SAMEBITS_${name}_LIBRARY)
    message(FATAL_ERROR "${header}: expected ${package}, found none; apt install ${package}")
  endif()
  add_library(samebits_${name} INTERFACE)
  target_include_directories(samebits_${name} INTERFACE ${SAMEBITS_${name}_INCLUDE})
  target_link_libraries(samebits_${name} INTERFACE ${SAMEBITS_${name}_LIBRARY})
endfunction()
if(SAMEBITS_TORCH)
  find_package(yaml-cpp REQUIRED)       # torch_ext, training: YAML
  find_package(Protobuf REQUIRED)       # ONNX and TensorBoard files
  find_package(ZLIB REQUIRED)           # training: gzipped IDX data
  add_library(samebits_cbc INTERFACE IMPORTED)  # planner: an exact solver; it has no CMake package
  foreach(library CbcSolver Cbc Cgl OsiClp Osi Clp CoinUtils)
    find_library(SAMEBITS_${library} ${library} REQUIRED)
    mark_as_advanced(SAMEBITS_${library})
    target_link_libraries(samebits_cbc INTERFACE ${SAMEBITS_${library}})
  endforeach()
endif()
if(SAMEBITS_TRAINING)
  find_package(spdlog REQUIRED)
  find_package(PNG REQUIRED)            # training: images
  samebits_find(csv csv.h csv libcsv-dev)                           # training: tables
  samebits_find(jpeg turbojpeg.h turbojpeg libturbojpeg0-dev)       # training: images
endif()
