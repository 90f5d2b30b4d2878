// torch operator samebits::matmul: float32 products of two computed tensors whose bits are part of the
// contract (docs/numerics.md §12), in the place of at::matmul, mm and bmm.
#pragma once

#include <ATen/ATen.h>

namespace samebits::ops {

/// As at::matmul, for float32 on the CPU: vectors, matrices, batches that broadcast. Strides of b, and those
/// of a but for its last dimension, cost no copy. Gradients, also of second order, are ATen's.
at::Tensor matmul(const at::Tensor& a, const at::Tensor& b);

}  // namespace samebits::ops
