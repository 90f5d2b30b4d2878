// What samebits::linear and samebits::conv2d share: their call, how it is checked, how their input becomes
// codes, and what backward gets.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

#include "csrc/common/call.h"
#include "csrc/layers/backward_mode.h"
#include "csrc/layers/weight.h"
#include "csrc/layers/workspace.h"
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

/// What both kinds of layer take. The weight is put on weight_grid; or, in a call of the overload `.encoded`,
/// on the grids of its own ranges, as `encoding` says: then weight_grid is filled on the way.
struct LayerCall {
  at::Tensor x, weight;
  std::optional<at::Tensor> bias;
  ActivationGrid x_grid;
  WeightGrid weight_grid;
  quant::Encoding encoding;
  LayerOptions options;
  std::optional<at::Tensor> channel_scale;  // [out]: a factor of y before the bias (docs/numerics.md §13)
};

/// y float32; x_codes int8 of x's shape and clip_mask, one bit an element, for backward: of x, or of max(x,
/// 0) with relu_input, where the mask also stops what the relu stops; saw_nan, a bool of no dimensions:
/// whether x held a NaN, whose code is zero_point. With observe: x_range, float32 {min, max} of what was
/// quantized, without NaNs; else empty.
struct LayerOutput {
  at::Tensor y, x_codes, clip_mask, saw_nan, x_range;
  auto fields() { return std::tie(y, x_codes, clip_mask, saw_nan, x_range); }
};

/// The same of an `.encoded` call, with the weight's grids. weight_zero_point is all 0 for a symmetric
/// encoding. weight_not_finite, int32 of no dimensions: 0, or kSawNaN + kSawInfinity of what the weight held;
/// codes that come of it mean nothing.
struct EncodedLayerOutput {
  LayerOutput layer;
  at::Tensor weight_scale, weight_zero_point, weight_not_finite;
  auto fields() {
    return std::tuple_cat(layer.fields(), std::tie(weight_scale, weight_zero_point, weight_not_finite));
  }
};
constexpr int32_t kSawNaN = 1, kSawInfinity = 2;

/// How a call names itself and its depth in messages.
struct LayerNames {
  const char* op;     // "linear"
  const char* depth;  // "in_features"
};

/// Dtypes, grid shapes, lengths of bias and channel_scale, 7 bits for affine weights, and the depth that
/// int32 sums allow. `depth` is the number of products in a sum. Looks at shapes only.
void check_layer(const LayerNames& names, const LayerCall& call, int64_t depth);

/// Whether `call.encoding` can encode the weight of an `.encoded` call.
void check_encoding(const char* op, const LayerCall& call);

/// The input grid as a plain value. Checked.
kernels::AffineGrid activation_grid(const char* op, const ActivationGrid& grid);

/// Outputs for y of `y_sizes`, nothing computed.
LayerOutput empty_layer_output(const LayerCall& call, c10::SymIntArrayRef y_sizes);
/// With the grids of `call`, whose weight_grid is filled.
EncodedLayerOutput encoded_output(const LayerCall& call, const LayerOutput& layer,
                                  const at::Tensor& not_finite);

/// Fills x_codes, clip_mask, saw_nan and x_range of `out`.
void quantize_input(const LayerCall& call, const kernels::AffineGrid& grid, LayerOutput& out);

/// The weight packed on the call's grids. Throws c10::Error when given grids are wrong or the weight holds a
/// NaN on them; with `not_finite`, finds the grids and tells there what was not finite.
kernels::PackedWeight packed_weight(const char* op, const LayerCall& call, kernels::WeightOrder order,
                                    int32_t* not_finite);

/// A bias or a channel scale as contiguous floats, or null. `holder` keeps them alive.
const float* floats_or_null(const std::optional<at::Tensor>& values, at::Tensor& holder);

/// "f32", "bf16" or "int8". Throws c10::Error on another text.
BackwardMode backward_mode(const char* op, std::string_view text);
const char* backward_text(BackwardMode mode);
template <>
struct Argument<BackwardMode> {
  using type = std::string_view;
  static void take(const char* op, BackwardMode& field, std::string_view text) {
    field = backward_mode(op, text);
  }
  static type give(BackwardMode mode) { return backward_text(mode); }
};
template <>
struct Argument<quant::Granularity> {
  using type = std::string_view;
  static void take(const char* op, quant::Granularity& field, std::string_view text);
  static type give(quant::Granularity granularity);
};

/// What autograd keeps of a call: codes and masks, never a float copy of x or of the weight. The weight
/// itself is kept by reference, as torch's own layers do, and quantized anew in backward.
struct SavedLayer {
  at::Tensor x_codes, clip_mask;
  ActivationGrid x_grid;
  at::Tensor weight;
  WeightGrid weight_grid;
  BackwardMode backward = BackwardMode::kFloat32;
  std::optional<at::Tensor> channel_scale;
};
/// The scale and zero point of x may move before backward runs: the ones of this call are kept.
SavedLayer saved_layer(const LayerCall& call, const LayerOutput& out);

/// Of x, weight, bias and channel_scale: which are wanted, and the gradients; to the dispatcher, one that is
/// not wanted is an empty tensor.
using WantedGradients = std::array<bool, 4>;
struct LayerGradients {
  at::Tensor x, weight, bias, channel_scale;
  auto fields() { return std::tie(x, weight, bias, channel_scale); }
};
LayerGradients empty_where_undefined(LayerGradients gradients, const at::Tensor& grad_y);
LayerGradients undefined_where_not_wanted(LayerGradients gradients, const WantedGradients& wanted);
LayerGradients empty_gradients(const SavedLayer& saved, const at::Tensor& grad_y,
                               const WantedGradients& wanted);
/// Every size of a backward call against the others, `y_sizes` being those of grad_y. Throws c10::Error.
void check_saved_layer(const char* op, const SavedLayer& saved, const at::Tensor& grad_y,
                       c10::IntArrayRef y_sizes);

/// The weight's scales with the factors of its channels: what leads from grad_y to grad_x, float32 [1], [out]
/// or [out, groups].
at::Tensor scale_to_x(const SavedLayer& saved);

/// `grad_weight` was made of grad_y as it is: what the weight's gradient is without a channel scale, nowhere
/// masked. Gives that scale's gradient, the sums over a channel of grad_weight times the weight on its grid;
/// then grad_weight is scaled and masked, in place. Sums are in double, in one order.
at::Tensor finish_scaled_weight(const SavedLayer& saved, const RebuiltWeight& weight,
                                at::Tensor& grad_weight);

/// The input on its grid, in float32, in a workspace until the next call.
at::Tensor input_reals(const SavedLayer& saved, Workspace purpose);

/// grad = 0 where the mask (one bit an element) is 1; in place. Undefined masks do nothing.
void apply_clip_mask(at::Tensor& grad, const at::Tensor& clip_mask);

/// The sums of the columns of grad_y [rows, n], in one fixed order (kernels/quantize/column_sums.h).
at::Tensor column_sums(const at::Tensor& grad_y);

}  // namespace samebits::ops
