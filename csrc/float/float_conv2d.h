// torch operator samebits::float_conv2d: a float32 convolution whose bits are part of the contract
// (docs/numerics.md §12): what a layer that stays float computes in eval mode, and in the package.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// y [n, out, height', width'] of x [n, in, height, width], all float32; weight [out, in / groups, kernel
/// height, kernel width], bias [out] or none; stride, padding and dilation are {height, width}, at most
/// 32768. Gradients, also of second order, are ATen's.
at::Tensor float_conv2d(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                        at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                        int64_t groups);

}  // namespace samebits::ops
