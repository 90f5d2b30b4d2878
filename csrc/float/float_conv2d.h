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

struct FloatConv2dCall {
  static constexpr const char *kOp = "float_conv2d", *kName = "samebits::float_conv2d", *kOverload = "";
  using Result = at::Tensor;
  at::Tensor x, weight;
  std::optional<at::Tensor> bias;
  Conv2dWindow window;
  std::optional<at::Tensor> channel_scale;
  auto fields() {
    return std::tie(x, weight, bias, window.stride, window.padding, window.dilation, window.groups,
                    channel_scale);
  }
  auto saved_fields() {
    return std::tie(x, weight, window.stride, window.padding, window.dilation, window.groups, channel_scale);
  }
};
/// y with nothing in it. Checks everything that the shapes of a call tell; the batch may be symbolic.
at::Tensor empty_float_conv2d(const FloatConv2dCall& call);
/// The sizes of a checked call.
kernels::Conv2dShape float_conv2d_shape(const FloatConv2dCall& call);

}  // namespace samebits::ops
