// torch operator samebits::float_conv2d: a float32 convolution whose bits are part of the contract
// (docs/numerics.md §12): what a layer that stays float computes in eval mode, and in the package.
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "csrc/layers/conv2d.h"

namespace samebits::ops {

/// y [n, out, height', width'] of x [n, in, height, width], all float32; weight [out, in / groups, kernel
/// height, kernel width], bias [out] or none; stride, padding and dilation at most 32768. channel_scale
/// [out]: factors of the sums, before the bias (docs/numerics.md §13). Gradients, also of second order, are
/// ATen's.
at::Tensor float_conv2d(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                        const Conv2dWindow& window,
                        const std::optional<at::Tensor>& channel_scale = std::nullopt);

}  // namespace samebits::ops
