// torch operator samebits::relu.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

/// max(x, 0), bit for bit at::relu, float32 of any shape; clip_mask holds the one bit an element that
/// backward keeps (at::relu keeps the whole result: 32 times as much).
std::tuple<at::Tensor, at::Tensor> relu(const at::Tensor& x);

}  // namespace samebits::ops
