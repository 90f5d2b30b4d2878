// What samebits::linear and samebits::conv2d share: how their grids are passed, checked, and turned into what
// kernels/linear.h reads.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <tuple>

#include "kernels/linear.h"

namespace samebits::ops {

/// The one grid of a layer's input: one element each, float32 and int32.
struct ActivationGrid {
  at::Tensor scale, zero_point;
  int64_t qmin = -128, qmax = 127;
};

/// The grids of a weight [out, …]: scale of 1 element, [out], or [out, groups]; zero_point of the same shape, or
/// none for symmetric grids. Affine weights have at most 7 bits, so that code - zero_point fits int8.
struct WeightGrid {
  at::Tensor scale;
  std::optional<at::Tensor> zero_point;
  int64_t qmin = -127, qmax = 127;
  int64_t group_size = 0;  // linear only; 0: no groups
};

/// y float32; x_codes int8 of x's shape and clip_mask, one bit an element, for backward; saw_nan, a bool of no
/// dimensions: whether x held a NaN, whose code is zero_point.
struct LayerOutput {
  at::Tensor y, x_codes, clip_mask, saw_nan;
};
using LayerOutputs = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;  // the operators' form of it

/// One layer call as the operators receive it.
struct LayerArguments {
  const char* op;  // for messages
  const at::Tensor& x;
  const at::Tensor& weight;
  const std::optional<at::Tensor>& bias;
  const ActivationGrid& x_grid;
  const WeightGrid& weight_grid;
};

/// Dtypes, grid shapes, bias length, 7 bits for affine weights, and the depth that int32 sums allow. `depth` is the
/// number of products in a sum, `depth_name` what the user calls it ("in_features").
void check_layer(const LayerArguments& arguments, int64_t depth, const char* depth_name);

/// The input grid as a plain value. Checked.
kernels::AffineGrid activation_grid(const char* op, const ActivationGrid& grid);

/// Quantizes the weight and prepares it. Throws c10::Error when it holds a NaN.
kernels::PreparedWeights quantized_weights(const LayerArguments& arguments, bool pack);

/// The bias as contiguous floats, or null. `holder` keeps them alive.
const float* bias_data(const std::optional<at::Tensor>& bias, at::Tensor& holder);

/// x and weight as backward sees them: on their grids, in float32. `weight_clip_mask` is 1 where the weight's
/// gradient stops.
struct LayerReals {
  at::Tensor x, weight, weight_clip_mask;
};
LayerReals layer_reals(const at::Tensor& x_codes, const ActivationGrid& x_grid, const at::Tensor& weight,
                       const WeightGrid& weight_grid);

}  // namespace samebits::ops
