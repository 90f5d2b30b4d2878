// The gradients of samebits::linear and samebits::conv2d as operators of their own: a tracer whose tensors
// have no memory meets the shapes of their Meta kernels instead of arithmetic.
#pragma once

#include <ATen/ATen.h>

#include <array>

#include "csrc/layers/conv2d.h"

namespace samebits::ops {

/// linear_backward.h and conv2d_backward.h through the dispatcher: grad_x, grad_weight, grad_bias; undefined
/// where not wanted.
std::array<at::Tensor, 3> linear_gradients(const SavedLayer& saved, const at::Tensor& grad_y,
                                           const std::array<bool, 3>& wanted);
std::array<at::Tensor, 3> conv2d_gradients(const SavedLayer& saved, const Conv2dWindow& window,
                                           const at::Tensor& grad_y, const std::array<bool, 3>& wanted);

}  // namespace samebits::ops
