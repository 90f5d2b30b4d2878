// The gradients of samebits::linear in each BackwardMode, from what its forward kept.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

#include "csrc/layers/layer.h"

namespace samebits::ops {

/// Which gradients are wanted.
struct LinearGradients {
  bool x = true, weight = true, bias = true;
};

/// grad_y [..., out] to (grad_x like x, grad_weight [out, in], grad_bias [out]), float32; undefined where not
/// wanted. The straight-through surrogate: of y = fq(x) @ fq(weight)ᵀ + bias, masked where x or the weight
/// was clipped.
std::tuple<at::Tensor, at::Tensor, at::Tensor> linear_backward(const SavedLayer& saved,
                                                               const at::Tensor& grad_y,
                                                               const LinearGradients& wanted);

}  // namespace samebits::ops
