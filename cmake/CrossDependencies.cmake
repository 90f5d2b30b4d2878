# What kernels, runtime and their tests need when another processor is the target: headers and sources of this machine's
# packages, none of its libraries. Highway is headers alone there (kernels/common/isa.cpp asks its library on x86-64 only).
set(SAMEBITS_GOOGLETEST_SOURCE /usr/src/googletest CACHE PATH "GoogleTest's sources")

# A folder with links to the headers: /usr/include itself would put this machine's C library before the target's.
function(samebits_header_library target folder)
  find_path(found NAMES ${folder} PATHS /usr/include NO_CMAKE_FIND_ROOT_PATH NO_CACHE REQUIRED)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
  file(CREATE_LINK ${found}/${folder} ${PROJECT_BINARY_DIR}/include/${folder} SYMBOLIC)
  add_library(${target} INTERFACE IMPORTED)
  target_include_directories(${target} INTERFACE ${PROJECT_BINARY_DIR}/include)
endfunction()
samebits_header_library(hwy::hwy hwy)
samebits_header_library(nlohmann_json::nlohmann_json nlohmann)
samebits_header_library(CLI11::CLI11 CLI)

if(SAMEBITS_TESTS)
  set(INSTALL_GTEST OFF)
  add_subdirectory(${SAMEBITS_GOOGLETEST_SOURCE} ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL SYSTEM)
endif()
