// What the CUDA operators share: the stream that they launch on, and an error for a launch that failed.
#pragma once

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace samebits::ops {

inline CUstream_st* current_stream() {
  return c10::cuda::getCurrentCUDAStream().stream();
}

/// Throws c10::Error when a launcher returned a text.
inline void check_launch(const char* op, const char* error) {
  TORCH_CHECK(error == nullptr, "[", op, "] CUDA: expected a launch, got: ", error);
}

/// A flag that a kernel raises, 0 before.
inline at::Tensor lowered_flag(const at::Tensor& like) {
  return at::zeros({}, like.options().dtype(at::kInt));
}

}  // namespace samebits::ops
