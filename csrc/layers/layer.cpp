#include "csrc/layers/layer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/column_sums.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"

namespace samebits::ops {

using at::Tensor;

namespace {

bool is_affine(const WeightGrid& grid) {
  return grid.zero_point.has_value() && grid.zero_point->defined();
}

/// `name` is "bias" or "channel_scale".
void check_channels(const char* op, const char* name, const std::optional<Tensor>& values,
                    const Tensor& weight) {
  if (!values.has_value()) return;
  check_dtype(op, name, *values, at::kFloat);
  TORCH_CHECK(values->dim() == 1 && values->sym_size(0) == weight.sym_size(0), "[", op, "] ", name,
              ": expected ", weight.sym_size(0), " values, one an output, got shape ", values->sym_sizes());
}

void check_activation_grid(const char* op, const ActivationGrid& grid, const Tensor& x) {
  TORCH_CHECK(grid.scale.numel() == 1, "[", op, "] x_scale: expected 1 value, got ", grid.scale.numel());
  check_grid_shapes({op, "x_", grid.scale, grid.zero_point, grid.qmin, grid.qmax}, x);
}

void check_weight_grid_shape(const char* op, const WeightGrid& grid, const Tensor& weight) {
  const Tensor zero_point = is_affine(grid) ? *grid.zero_point : Tensor();
  check_grid_shapes({op, "weight_", grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size},
                    weight);
  TORCH_CHECK(grid.group_size % 4 == 0, "[", op, "] group_size: expected a multiple of 4, got ",
              grid.group_size, "; use 32, 64 or 128");
  TORCH_CHECK(!is_affine(grid) || grid.qmax - grid.qmin <= 127, "[", op,
              "] weight_zero_point: expected at most 7-bit codes for an affine weight, got the range ",
              grid.qmin, "..", grid.qmax, "; use 7 bits or a symmetric grid");
}

void check_depth(const LayerNames& names, const LayerCall& call, int64_t depth) {
  const WeightGrid& grid = call.weight_grid;
  const int32_t magnitude = kernels::max_weight_magnitude(static_cast<int32_t>(grid.qmin),
                                                          static_cast<int32_t>(grid.qmax), !is_affine(grid));
  const int64_t bound = kernels::max_depth(static_cast<int32_t>(call.x_grid.qmin),
                                           static_cast<int32_t>(call.x_grid.qmax), magnitude);
  const int64_t sum_length = grid.group_size > 0 ? std::min(depth, grid.group_size) : depth;
  TORCH_CHECK(sum_length <= bound, "[", names.op, "] ", names.depth, ": expected <= ", bound,
              " for these codes' sums in int32, got ", depth, "; use fewer bits, groups, or split the layer");
}

}  // namespace

void check_layer(const LayerNames& names, const LayerCall& call, int64_t depth) {
  check_dtype(names.op, "x", call.x, at::kFloat);
  check_dtype(names.op, "weight", call.weight, at::kFloat);
  check_channels(names.op, "bias", call.bias, call.weight);
  check_channels(names.op, "channel_scale", call.channel_scale, call.weight);
  check_activation_grid(names.op, call.x_grid, call.x);
  check_weight_grid_shape(names.op, call.weight_grid, call.weight);
  check_depth(names, call, depth);
}

void check_encoding(const char* op, const LayerCall& call) {
  const quant::Encoding& encoding = call.encoding;
  check_dtype(op, "weight", call.weight, at::kFloat);
  TORCH_CHECK(call.weight.dim() >= 1 && call.weight.sym_numel() > 0, "[", op,
              "] weight: expected at least 1 element, got shape ", call.weight.sym_sizes());
  TORCH_CHECK(!encoding.symmetric || (encoding.qmin < 0 && encoding.qmax > 0), "[", op,
              "] weight_qmin, weight_qmax: expected qmin < 0 < qmax for a symmetric grid, got ",
              encoding.qmin, " and ", encoding.qmax);
  const bool is_grouped = encoding.granularity == quant::Granularity::kPerGroup;
  TORCH_CHECK(is_grouped ? encoding.group_size > 0 && encoding.group_size % 4 == 0 : encoding.group_size == 0,
              "[", op, "] group_size: expected ", is_grouped ? "a multiple of 4" : "0 without groups",
              ", got ", encoding.group_size);
}

kernels::AffineGrid activation_grid(const char* op, const ActivationGrid& grid) {
  const Grids grids =
      checked_grids({op, "x_", grid.scale, grid.zero_point, grid.qmin, grid.qmax}, grid.scale);
  return grids.table.grid(0);
}

LayerOutput empty_layer_output(const LayerCall& call, c10::SymIntArrayRef y_sizes) {
  const Tensor& x = call.x;
  LayerOutput out;
  out.y = at::empty_symint(y_sizes, x.options());
  out.x_codes = at::empty_symint(x.sym_sizes(), x.options().dtype(at::kChar));
  out.clip_mask = empty_clip_mask(x);
  out.saw_nan = at::empty({}, x.options().dtype(at::kBool));
  out.x_range = at::empty({call.options.observe ? 2 : 0}, x.options());
  return out;
}

EncodedLayerOutput encoded_output(const LayerCall& call, const LayerOutput& layer, const Tensor& not_finite) {
  const WeightGrid& grid = call.weight_grid;
  return {
      layer, grid.scale,
      is_affine(grid) ? *grid.zero_point : at::zeros_like(grid.scale, grid.scale.options().dtype(at::kInt)),
      not_finite};
}

void quantize_input(const LayerCall& call, const kernels::AffineGrid& grid, LayerOutput& out) {
  const Tensor x = call.x.contiguous();
  const kernels::QuantizeArgs args{.x = x.const_data_ptr<float>(),
                                   .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                                   .fold_relu = call.options.relu_input};
  kernels::MinMax range;
  std::mutex merging;
  for_each_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    kernels::MinMax part;
    if (call.options.observe)
      part = kernels::observe_quantize_run(args, grid, begin, end);
    else
      part.saw_nan = kernels::quantize_run(args, grid, begin, end);
    const std::lock_guard lock(merging);
    range = kernels::merge(range, part);
  });
  *out.saw_nan.mutable_data_ptr<bool>() = range.saw_nan;
  if (call.options.observe) {
    out.x_range.mutable_data_ptr<float>()[0] = range.min;
    out.x_range.mutable_data_ptr<float>()[1] = range.max;
  }
}

kernels::PackedWeight packed_weight(const char* op, const LayerCall& call, kernels::WeightOrder order,
                                    int32_t* not_finite) {
  quant::NotFinite seen;
  const bool finds_grids = not_finite != nullptr;
  if (!finds_grids) check_weight_grid(op, call.weight_grid, call.weight);
  kernels::PackedWeight packed = pack_weight({call.weight, call.weight_grid, finds_grids}, order, seen);
  if (finds_grids)
    *not_finite = (seen.nan ? kSawNaN : 0) + (seen.infinity ? kSawInfinity : 0);
  else
    TORCH_CHECK(!seen.nan, "[", op, "] weight: expected finite values, got NaN");
  return packed;
}

const float* floats_or_null(const std::optional<Tensor>& values, Tensor& holder) {
  if (!values.has_value()) return nullptr;
  holder = values->contiguous();
  return holder.const_data_ptr<float>();
}

BackwardMode backward_mode(const char* op, std::string_view text) {
  for (const BackwardMode mode : {BackwardMode::kFloat32, BackwardMode::kBfloat16, BackwardMode::kInt8})
    if (text == backward_text(mode)) return mode;
  TORCH_CHECK(false, "[", op, "] backward: expected f32, bf16 or int8, got \"", text, "\"");
}

const char* backward_text(BackwardMode mode) {
  constexpr const char* kTexts[] = {"f32", "bf16", "int8"};
  return kTexts[static_cast<int>(mode)];
}

std::string_view Argument<quant::Granularity>::give(quant::Granularity granularity) {
  constexpr std::string_view kTexts[] = {"tensor", "channel", "group"};
  return kTexts[static_cast<int>(granularity)];
}

void Argument<quant::Granularity>::take(const char* op, quant::Granularity& field, std::string_view text) {
  using quant::Granularity;
  for (const Granularity each : {Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup}) {
    if (text != give(each)) continue;
    field = each;
    return;
  }
  TORCH_CHECK(false, "[", op, "] weight_granularity: expected tensor, channel or group, got \"", text, "\"");
}

SavedLayer saved_layer(const LayerCall& call, const LayerOutput& out) {
  SavedLayer saved{.x_codes = out.x_codes,
                   .clip_mask = out.clip_mask,
                   .x_grid = call.x_grid,
                   .weight = call.weight,
                   .weight_grid = call.weight_grid,
                   .backward = call.options.backward,
                   .channel_scale = call.channel_scale};
  saved.x_grid.scale = call.x_grid.scale.clone();
  saved.x_grid.zero_point = call.x_grid.zero_point.clone();
  return saved;
}

LayerGradients empty_where_undefined(LayerGradients gradients, const Tensor& grad_y) {
  std::apply([&](auto&... each) { ((each = each.defined() ? each : at::empty({0}, grad_y.options())), ...); },
             gradients.fields());
  return gradients;
}

LayerGradients undefined_where_not_wanted(LayerGradients gradients, const WantedGradients& wanted) {
  return {wanted[0] ? gradients.x : Tensor(), wanted[1] ? gradients.weight : Tensor(),
          wanted[2] ? gradients.bias : Tensor(), wanted[3] ? gradients.channel_scale : Tensor()};
}

LayerGradients empty_gradients(const SavedLayer& saved, const Tensor& grad_y, const WantedGradients& wanted) {
  const auto empty = [&](bool is_wanted, c10::SymIntArrayRef sizes) {
    return is_wanted ? at::empty_symint(sizes, grad_y.options()) : at::empty({0}, grad_y.options());
  };
  return {empty(wanted[0], saved.x_codes.sym_sizes()), empty(wanted[1], saved.weight.sym_sizes()),
          empty(wanted[2], saved.weight.sym_sizes().slice(0, 1)),
          empty(wanted[3] && saved.channel_scale.has_value(), saved.weight.sym_sizes().slice(0, 1))};
}

void check_saved_layer(const char* op, const SavedLayer& saved, const Tensor& grad_y,
                       c10::IntArrayRef y_sizes) {
  check_dtype(op, "grad_y", grad_y, at::kFloat);
  check_dtype(op, "x_codes", saved.x_codes, at::kChar);
  check_dtype(op, "clip_mask", saved.clip_mask, at::kByte);
  check_dtype(op, "weight", saved.weight, at::kFloat);
  check_channels(op, "channel_scale", saved.channel_scale, saved.weight);
  TORCH_CHECK(grad_y.sizes() == y_sizes, "[", op, "] grad_y: expected shape ", y_sizes, ", got ",
              grad_y.sizes());
  const int64_t mask_bytes = (saved.x_codes.numel() + 7) / 8;
  TORCH_CHECK(saved.clip_mask.numel() == mask_bytes && saved.clip_mask.is_contiguous(), "[", op,
              "] clip_mask: expected ", mask_bytes, " bytes, one bit an element of x_codes, got ",
              saved.clip_mask.numel());
  TORCH_CHECK(saved.x_codes.is_contiguous(), "[", op, "] x_codes: expected a contiguous tensor, got strides ",
              saved.x_codes.strides());
  check_activation_grid(op, saved.x_grid, saved.x_codes);
  check_weight_grid_shape(op, saved.weight_grid, saved.weight);
}

Tensor scale_to_x(const SavedLayer& saved) {
  const Tensor scale = saved.weight_grid.scale.contiguous();
  if (!saved.channel_scale.has_value()) return scale;
  const Tensor& factor = *saved.channel_scale;
  return (scale * (scale.dim() == 2 ? factor.unsqueeze(1) : factor)).contiguous();
}

Tensor finish_scaled_weight(const SavedLayer& saved, const RebuiltWeight& weight, Tensor& grad_weight) {
  const WeightGrid& grid = saved.weight_grid;
  const Tensor scale = grid.scale.contiguous(), factor = saved.channel_scale->contiguous();
  grad_weight = grad_weight.contiguous();
  const int64_t n = grad_weight.size(0), k = n == 0 ? 0 : grad_weight.numel() / n;
  const int64_t group = grid.group_size > 0 ? grid.group_size : k;
  const int64_t scales_per_row = scale.numel() == 1 ? 0 : scale.numel() / n;
  const Tensor grad_factor = at::empty({n}, grad_weight.options());
  const float *scales = scale.const_data_ptr<float>(), *factors = factor.const_data_ptr<float>();
  const int8_t* codes = weight.centered.const_data_ptr<int8_t>();
  float *grad = grad_weight.mutable_data_ptr<float>(), *sums = grad_factor.mutable_data_ptr<float>();
  at::parallel_for(
      0, n, 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(k, 1), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          double sum = 0;
          for (int64_t i = 0; i < k; ++i) {
            const float code = codes[row * k + i];
            const float real = code * scales[row * scales_per_row + (scales_per_row == 0 ? 0 : i / group)];
            sum += double{grad[row * k + i]} * double{real};
            grad[row * k + i] *= factors[row];
          }
          sums[row] = static_cast<float>(sum);
        }
      });
  apply_clip_mask(grad_weight, weight.clip_mask);
  return grad_factor;
}

Tensor input_reals(const SavedLayer& saved, Workspace purpose) {
  const kernels::AffineGrid grid = activation_grid("backward", saved.x_grid);
  const Tensor reals = workspace(purpose, saved.x_codes.sizes());
  const int8_t* codes = saved.x_codes.const_data_ptr<int8_t>();
  float* data = reals.mutable_data_ptr<float>();
  at::parallel_for(0, reals.numel(), at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    kernels::dequantize_run(codes, data, grid, begin, end);
  });
  return reals;
}

void apply_clip_mask(Tensor& grad, const Tensor& clip_mask) {
  if (!clip_mask.defined() || !grad.defined()) return;
  grad = grad.contiguous();
  float* data = grad.mutable_data_ptr<float>();
  const uint8_t* mask = clip_mask.const_data_ptr<uint8_t>();
  for_each_mask_bytes(grad.numel(), [&](int64_t begin, int64_t end) {
    kernels::fake_quantize_backward(data, mask, data, begin, end, kernels::FloatType::kFloat32);
  });
}

Tensor column_sums(const Tensor& grad_y) {
  const int64_t m = grad_y.size(0), n = grad_y.size(1), blocks = kernels::sum_blocks(m);
  const Tensor block_sums = workspace(Workspace::kSums, {blocks, n});
  const kernels::SumColumnsArgs args{.g = grad_y.const_data_ptr<float>(),
                                     .m = m,
                                     .n = n,
                                     .block_sums = block_sums.mutable_data_ptr<float>()};
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(kernels::kSumRows * n, 1);
  at::parallel_for(0, blocks, grain, [&](int64_t first, int64_t last) {
    kernels::sum_columns(args, first * kernels::kSumRows, std::min(last * kernels::kSumRows, m));
  });
  const Tensor sums = at::empty({n}, grad_y.options());
  kernels::add_block_sums(args.block_sums, blocks, n, sums.mutable_data_ptr<float>(), 0, n);
  return sums;
}

}  // namespace samebits::ops
