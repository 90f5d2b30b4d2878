// torch operator samebits::conv2d: a 2-D convolution on integers.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>

#include "csrc/layers/layer.h"
#include "kernels/conv/conv2d.h"

namespace samebits::ops {

/// {height, width} each.
struct Conv2dWindow {
  std::array<int64_t, 2> stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  int64_t groups = 1;
};

/// x float32 [n, in, height, width], weight float32 [out, in / groups, kernel height, kernel width], bias
/// float32 [out] or none; y float32 [n, out, height', width']. Padding is the real 0. Otherwise as linear.h;
/// weight grids are per tensor or per output channel.
struct Conv2dCall : LayerCall {
  static constexpr const char *kOp = "conv2d", *kName = "samebits::conv2d", *kOverload = "";
  static constexpr bool kFindsWeightGrid = false;
  using Result = LayerOutput;
  Conv2dWindow window;
  auto fields() {
    return std::tie(x, weight, bias, window.stride, window.padding, window.dilation, window.groups,
                    x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax, weight_grid.scale,
                    weight_grid.zero_point, weight_grid.qmin, weight_grid.qmax, options.relu_input,
                    options.observe, options.backward, channel_scale);
  }
};

/// The same on the grids of the weight's own ranges, found while it is packed.
struct EncodedConv2dCall : LayerCall {
  static constexpr const char *kOp = "conv2d", *kName = "samebits::conv2d", *kOverload = "encoded";
  static constexpr bool kFindsWeightGrid = true;
  using Result = EncodedLayerOutput;
  Conv2dWindow window;
  auto fields() {
    return std::tie(x, weight, bias, window.stride, window.padding, window.dilation, window.groups,
                    x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax, encoding.qmin, encoding.qmax,
                    encoding.symmetric, encoding.granularity, options.relu_input, options.observe,
                    options.backward, channel_scale);
  }
};

/// A Conv2dCall through the dispatcher.
LayerOutput conv2d(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                   const Conv2dWindow& window, const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options = {});

/// Checks everything that the shapes of a call tell, and gives its sizes and y's shape; the batch may be
/// symbolic.
kernels::Conv2dShape conv2d_shape(const LayerCall& call, const Conv2dWindow& window);
std::vector<c10::SymInt> conv2d_output_sizes(const LayerCall& call, const Conv2dWindow& window);

/// As LinearBackwardCall.
struct Conv2dBackwardCall {
  static constexpr const char *kOp = "conv2d_backward", *kName = "samebits::conv2d_backward", *kOverload = "";
  using Result = LayerGradients;
  at::Tensor grad_y;
  SavedLayer saved;
  Conv2dWindow window;
  WantedGradients wanted = {true, true, true, true};

  auto saved_fields() {
    return std::tie(saved.x_codes, saved.clip_mask, saved.x_grid.scale, saved.x_grid.zero_point,
                    saved.x_grid.qmin, saved.x_grid.qmax, saved.weight, saved.weight_grid.scale,
                    saved.weight_grid.zero_point, saved.weight_grid.qmin, saved.weight_grid.qmax,
                    window.stride, window.padding, window.dilation, window.groups, saved.backward,
                    saved.channel_scale);
  }
  auto fields() { return std::tuple_cat(std::tie(grad_y), saved_fields(), std::tie(wanted)); }
};

kernels::Conv2dShape check_conv2d_backward(const Conv2dBackwardCall& call);

}  // namespace samebits::ops
