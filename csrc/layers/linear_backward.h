// The arithmetic of samebits::linear's gradients in each BackwardMode, on the CPU.
#pragma once

#include "csrc/layers/linear.h"

namespace samebits::ops {

/// grad_y [..., out] to (grad_x like x, grad_weight [out, in], grad_bias [out]), float32; undefined where not
/// wanted. The straight-through surrogate: of y = fq(x) @ fq(weight)ᵀ + bias, masked where x or the weight
/// was clipped. The call is checked.
LayerGradients linear_backward(const LinearBackwardCall& call);

}  // namespace samebits::ops
