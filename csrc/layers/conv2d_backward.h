// The arithmetic of samebits::conv2d's gradients in each BackwardMode.
#pragma once

#include "csrc/layers/conv2d.h"

namespace samebits::ops {

/// grad_y [n, out, height', width'] to (grad_x like x, grad_weight like the weight, grad_bias [out]),
/// float32, undefined where not wanted. As linear_backward.h; kBfloat16 and kInt8 multiply
/// in bfloat16 (oneDNN) and round grad_x and grad_weight to bfloat16 too. The call is checked.
LayerGradients conv2d_backward(const Conv2dBackwardCall& call);

}  // namespace samebits::ops
