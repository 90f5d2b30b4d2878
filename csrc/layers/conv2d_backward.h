// The gradients of samebits::conv2d in each BackwardMode, from what its forward kept.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <tuple>

#include "csrc/layers/conv2d.h"

namespace samebits::ops {

/// grad_y [n, out, height', width'] to (grad_x like x, grad_weight like the weight, grad_bias [out]),
/// float32; `wanted` says which, the others are undefined. As linear_backward.h; kBfloat16 and kInt8 multiply
/// in bfloat16 (oneDNN) and round grad_x and grad_weight to bfloat16 too.
std::tuple<at::Tensor, at::Tensor, at::Tensor> conv2d_backward(const SavedLayer& saved,
                                                               const Conv2dWindow& window,
                                                               const at::Tensor& grad_y,
                                                               const std::array<bool, 3>& wanted);

}  // namespace samebits::ops
