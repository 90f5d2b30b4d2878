// What samebits::linear and samebits::conv2d share: how their grids are passed and checked, how their input
// becomes codes, and how backward gets its operands.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "csrc/layers/backward_mode.h"
#include "csrc/layers/pack_weight.h"
#include "csrc/layers/workspace.h"
#include "csrc/quantize/grids.h"
#include "kernels/matmul/linear.h"

namespace samebits::ops {

/// The one grid of a layer's input: one element each, float32 and int32.
struct ActivationGrid {
  at::Tensor scale, zero_point;
  int64_t qmin = -128, qmax = 127;
};

/// What a layer call does besides the product.
struct LayerOptions {
  bool relu_input = false;  // of max(x, 0) instead of x
  bool observe = false;     // x_range is wanted
  BackwardMode backward = BackwardMode::kFloat32;
};

/// y float32; x_codes int8 of x's shape and clip_mask, one bit an element, for backward: of x, or of max(x,
/// 0) with relu_input, where the mask also stops what the relu stops; saw_nan, a bool of no dimensions:
/// whether x held a NaN, whose code is zero_point. With observe: x_range, float32 {min, max} of what was
/// quantized, without NaNs; else empty.
struct LayerOutput {
  at::Tensor y, x_codes, clip_mask, saw_nan, x_range;
};
/// The operators' form of it.
using LayerOutputs = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
inline LayerOutputs to_tuple(const LayerOutput& o) {
  return {o.y, o.x_codes, o.clip_mask, o.saw_nan, o.x_range};
}
inline LayerOutput from_tuple(const LayerOutputs& o) {
  return std::make_from_tuple<LayerOutput>(o);
}

/// One layer call as the operators receive it.
struct LayerArguments {
  const char* op;  // for messages
  const at::Tensor& x;
  const at::Tensor& weight;
  const std::optional<at::Tensor>& bias;
  const ActivationGrid& x_grid;
  const WeightGrid& weight_grid;
  const std::optional<at::Tensor>& packed;  // none: packed here
  const LayerOptions& options;
};

/// Dtypes, grid shapes, bias length, 7 bits for affine weights, and the depth that int32 sums allow. `depth`
/// is the number of products in a sum, `depth_name` what the user calls it ("in_features").
void check_layer(const LayerArguments& arguments, int64_t depth, const char* depth_name);

/// The input grid as a plain value. Checked.
kernels::AffineGrid activation_grid(const char* op, const ActivationGrid& grid);

/// x quantized, in a LayerOutput whose y has `y_sizes` and is not written yet. x may be any float32 tensor.
LayerOutput quantized_input(const LayerArguments& arguments, const kernels::AffineGrid& grid,
                            at::IntArrayRef y_sizes);
/// The same shapes, nothing computed.
LayerOutput empty_layer_output(const LayerArguments& arguments, at::IntArrayRef y_sizes);

/// The packed weight that was passed, or one made now.
at::Tensor packed_weight(const LayerArguments& arguments, WeightOrder order);

/// The bias as contiguous floats, or null. `holder` keeps them alive.
const float* bias_data(const std::optional<at::Tensor>& bias, at::Tensor& holder);

/// "f32", "bf16" or "int8". Throws c10::Error on another text.
BackwardMode backward_mode(const char* op, std::string_view text);
const char* backward_text(BackwardMode mode);

/// What autograd keeps of a call: codes and masks, never a float copy of x or of the weight. The weight
/// itself is kept by reference, as torch's own layers do, and quantized anew in backward.
struct SavedLayer {
  at::Tensor x_codes, clip_mask;
  ActivationGrid x_grid;
  at::Tensor weight;
  WeightGrid weight_grid;
  bool has_bias = false;
  BackwardMode backward = BackwardMode::kFloat32;
};
void save_layer(torch::autograd::AutogradContext* context, const LayerArguments& arguments,
                const LayerOutput& out);
SavedLayer saved_layer(torch::autograd::AutogradContext* context);

/// The weight quantized anew. `values`: float32 on its grid, or int8 codes minus their zero points.
/// `clip_mask` is 1 where the weight's gradient stops, undefined where it stops nowhere. Both live in
/// workspaces until the next call.
struct RebuiltWeight {
  at::Tensor values, clip_mask;
};
RebuiltWeight weight_reals(const SavedLayer& saved, Workspace purpose);
/// The checked grids of a weight.
Grids weight_grids(const char* op, const WeightGrid& grid, const at::Tensor& weight);
RebuiltWeight weight_codes(const SavedLayer& saved);

/// The input on its grid, in float32, in a workspace until the next call.
at::Tensor input_reals(const SavedLayer& saved, Workspace purpose);

/// grad = 0 where the mask (one bit an element) is 1; in place. Undefined masks do nothing.
void apply_clip_mask(at::Tensor& grad, const at::Tensor& clip_mask);

/// The sums of the columns of grad_y [rows, n], in one fixed order (kernels/quantize/gradient.h).
at::Tensor column_sums(const at::Tensor& grad_y);

}  // namespace samebits::ops
