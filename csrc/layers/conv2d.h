// torch operator samebits::conv2d: a 2-D convolution on integers.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>

#include "csrc/layers/layer.h"

namespace samebits::ops {

/// {height, width} each.
struct Conv2dWindow {
  std::array<int64_t, 2> stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  int64_t groups = 1;
};

/// x float32 [n, in, height, width], weight float32 [out, in / groups, kernel height, kernel width], bias
/// float32 [out] or none; y float32 [n, out, height', width']. Padding is the real 0. Otherwise as linear.h;
/// weight grids are per tensor or per output channel.
LayerOutput conv2d(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                   const Conv2dWindow& window, const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options = {});

/// The same on a weight that was packed before.
LayerOutput conv2d(const at::Tensor& x, const std::optional<at::Tensor>& bias, const Conv2dWindow& window,
                   const ActivationGrid& x_grid, const PackedWeight& weight,
                   const LayerOptions& options = {});

}  // namespace samebits::ops
