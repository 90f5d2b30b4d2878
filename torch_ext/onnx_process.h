// onnxruntime in a process of its own: no C++ dependency, and its threads and allocator stay out of ours.
#pragma once

#include <torch/types.h>

#include <filesystem>

namespace samebits {

/// The output of an ONNX file for x [n, ...]: python/samebits/onnx_runner.py on temporary files. Throws
/// std::runtime_error with what Python printed, MissingDependency (verify.h) when onnxruntime or Python is
/// not there.
torch::Tensor run_onnx(const std::filesystem::path& file, const torch::Tensor& x);

}  // namespace samebits
