// torch operators samebits::softmax and samebits::log_softmax over kernels/float/softmax.h.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// Along `dim` of a float32 tensor, in the one order of docs/numerics.md §15; contiguous. The gradients are
/// torch's. `dtype` is there because ATen's schema has it: float32 or nothing.
at::Tensor softmax(const at::Tensor& x, int64_t dim, std::optional<at::ScalarType> dtype = std::nullopt);
at::Tensor log_softmax(const at::Tensor& x, int64_t dim, std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace samebits::ops
