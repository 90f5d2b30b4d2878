// onnxruntime in a process of its own: no C++ dependency, and its threads and allocator stay out of ours.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace samebits {

/// The output of an ONNX file for x [n, ...]: python/samebits/onnx_runner.py on temporary files. Throws
/// std::runtime_error with what Python printed, MissingDependency (verify.h) when onnxruntime or Python is
/// not there.
torch::Tensor run_onnx(const std::filesystem::path& file, const torch::Tensor& x);

/// Values of the file when those of `given` are put in the place of what it computes for them. The names are
/// values of the file; of `wanted` the names alone are read.
std::map<std::string, torch::Tensor> run_onnx_parts(const std::filesystem::path& file, const torch::Tensor& x,
                                                    const std::map<std::string, torch::Tensor>& given,
                                                    const std::map<std::string, torch::Tensor>& wanted);

}  // namespace samebits
