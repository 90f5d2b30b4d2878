# Every library that the project uses, found in one place. apt.txt and requirements.txt install them.
if(CMAKE_CROSSCOMPILING)
  include(CrossDependencies)
else()
  find_package(hwy REQUIRED)            # kernels: SIMD
  find_package(nlohmann_json REQUIRED)  # runtime, training: JSON
  find_package(CLI11 REQUIRED)          # samebits-run, training: command lines
endif()
find_package(Threads REQUIRED)
if(SAMEBITS_TORCH)
  find_package(yaml-cpp REQUIRED)       # torch_ext, training: YAML
  find_package(Protobuf REQUIRED)       # ONNX and TensorBoard files
  find_package(ZLIB REQUIRED)           # training: gzipped IDX data
endif()
if(SAMEBITS_TRAINING)
  find_package(spdlog REQUIRED)
endif()
