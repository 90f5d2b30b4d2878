# Every library that the project uses, found in one place. apt.txt and requirements.txt install them.
if(CMAKE_CROSSCOMPILING)
  include(CrossDependencies)
else()
  find_package(hwy REQUIRED)            # kernels: SIMD
  find_package(nlohmann_json REQUIRED)  # runtime, training: JSON
endif()
find_package(Threads REQUIRED)
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
  find_package(CLI11 REQUIRED)
  find_package(spdlog REQUIRED)
endif()
