// onnxruntime in a process of its own: no C++ dependency, and its threads and allocator stay out of ours.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace samebits {

/// The inputs of an ONNX file, float32, int64 or bool, in its order.
struct OnnxInputs {
  std::vector<torch::Tensor> tensors;
  bool are_rows = true;  // whether rows of all of them can be run apart from others
};

/// The output of an ONNX file: python/samebits/onnx_runner.py on temporary files. Throws std::runtime_error
/// with what Python printed, MissingDependency (verify.h) when onnxruntime or Python is not there.
torch::Tensor run_onnx(const std::filesystem::path& file, const OnnxInputs& inputs);

/// Values of the file when those of `given` are put in the place of what it computes for them. The names are
/// values of the file; of `wanted` the names alone are read.
std::map<std::string, torch::Tensor> run_onnx_parts(const std::filesystem::path& file,
                                                    const OnnxInputs& inputs,
                                                    const std::map<std::string, torch::Tensor>& given,
                                                    const std::map<std::string, torch::Tensor>& wanted);

}  // namespace samebits
