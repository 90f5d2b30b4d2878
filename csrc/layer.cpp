#include "csrc/layer.h"

#include "csrc/check.h"
#include "csrc/dequantize.h"
#include "csrc/fake_quantize.h"
#include "csrc/grids.h"
#include "csrc/quantize.h"

namespace samebits::ops {

using at::Tensor;

namespace {

bool is_affine(const WeightGrid& grid) {
  return grid.zero_point.has_value() && grid.zero_point->defined();
}

Tensor zero_point_of(const WeightGrid& grid) {
  return is_affine(grid) ? *grid.zero_point
                         : at::zeros_like(grid.scale, grid.scale.options().dtype(at::kInt));
}

void check_bias(const LayerArguments& a) {
  if (!a.bias.has_value() || !a.bias->defined()) return;
  check_dtype(a.op, "bias", *a.bias, at::kFloat);
  TORCH_CHECK(a.bias->dim() == 1 && a.bias->size(0) == a.weight.size(0), "[", a.op, "] bias: expected ",
              a.weight.size(0), " values, one an output, got shape ", a.bias->sizes());
}

}  // namespace

void check_layer(const LayerArguments& a, int64_t depth, const char* depth_name) {
  check_dtype(a.op, "x", a.x, at::kFloat);
  check_dtype(a.op, "weight", a.weight, at::kFloat);
  check_bias(a);
  TORCH_CHECK(a.x_grid.scale.numel() == 1, "[", a.op, "] x_scale: expected 1 value, got ",
              a.x_grid.scale.numel());
  check_grid_shapes({a.op, "x_", a.x_grid.scale, a.x_grid.zero_point, a.x_grid.qmin, a.x_grid.qmax}, a.x);
  const Tensor weight_zero_point = is_affine(a.weight_grid) ? *a.weight_grid.zero_point : Tensor();
  check_grid_shapes({a.op, "weight_", a.weight_grid.scale, weight_zero_point, a.weight_grid.qmin,
                     a.weight_grid.qmax, 0, a.weight_grid.group_size},
                    a.weight);
  TORCH_CHECK(a.weight_grid.group_size % 2 == 0, "[", a.op, "] group_size: expected an even number, got ",
              a.weight_grid.group_size);
  TORCH_CHECK(!is_affine(a.weight_grid) || a.weight_grid.qmax - a.weight_grid.qmin <= 127, "[", a.op,
              "] weight_zero_point: expected at most 7-bit codes for an affine weight, got the range ",
              a.weight_grid.qmin, "..", a.weight_grid.qmax, "; use 7 bits or a symmetric grid");
  const int32_t magnitude =
      kernels::max_weight_magnitude(static_cast<int32_t>(a.weight_grid.qmin),
                                    static_cast<int32_t>(a.weight_grid.qmax), !is_affine(a.weight_grid));
  const int64_t bound =
      kernels::max_depth(static_cast<int32_t>(a.x_grid.qmin), static_cast<int32_t>(a.x_grid.qmax), magnitude);
  const int64_t sum_length = a.weight_grid.group_size > 0 ? std::min(depth, a.weight_grid.group_size) : depth;
  TORCH_CHECK(sum_length <= bound, "[", a.op, "] ", depth_name, ": expected <= ", bound,
              " for these codes' sums in int32, got ", depth, "; use fewer bits, groups, or split the layer");
}

kernels::AffineGrid activation_grid(const char* op, const ActivationGrid& grid) {
  const Grids grids =
      checked_grids({op, "x_", grid.scale, grid.zero_point, grid.qmin, grid.qmax}, grid.scale);
  return grids.table.grid(0);
}

kernels::PreparedWeights quantized_weights(const LayerArguments& a, bool pack) {
  const WeightGrid& grid = a.weight_grid;
  const Tensor zero_point = zero_point_of(grid).contiguous(), scale = grid.scale.contiguous();
  checked_grids({a.op, "weight_", scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size}, a.weight);
  auto [codes, clip_mask, saw_nan] =
      quantize(a.weight, scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size);
  TORCH_CHECK(!saw_nan.item<bool>(), "[", a.op, "] weight: expected finite values, got NaN");
  const int64_t out = a.weight.size(0);
  return kernels::prepare_weights({.codes = codes.const_data_ptr<int8_t>(),
                                   .scale = scale.const_data_ptr<float>(),
                                   .zero_point = zero_point.const_data_ptr<int32_t>(),
                                   .scale_count = scale.numel(),
                                   .n = out,
                                   .k = out == 0 ? 0 : a.weight.numel() / out,
                                   .group_size = grid.group_size,
                                   .qmin = static_cast<int32_t>(grid.qmin),
                                   .qmax = static_cast<int32_t>(grid.qmax)},
                                  pack);
}

const float* bias_data(const std::optional<Tensor>& bias, Tensor& holder) {
  if (!bias.has_value() || !bias->defined()) return nullptr;
  holder = bias->contiguous();
  return holder.const_data_ptr<float>();
}

LayerReals layer_reals(const Tensor& x_codes, const ActivationGrid& x_grid, const Tensor& weight,
                       const WeightGrid& grid) {
  auto [weight_reals, weight_clip_mask, saw_nan] =
      fake_quantize(weight, grid.scale, zero_point_of(grid), grid.qmin, grid.qmax, 0, grid.group_size);
  return {dequantize(x_codes, x_grid.scale, x_grid.zero_point), weight_reals, weight_clip_mask};
}

}  // namespace samebits::ops
