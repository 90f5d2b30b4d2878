#include "csrc/layers/layer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/gradient.h"
#include "kernels/quantize/quantize.h"

namespace samebits::ops {

using at::Tensor;

namespace {

bool is_affine(const WeightGrid& grid) {
  return grid.zero_point.has_value() && grid.zero_point->defined();
}

void check_bias(const LayerArguments& a) {
  if (!a.bias.has_value() || !a.bias->defined()) return;
  check_dtype(a.op, "bias", *a.bias, at::kFloat);
  TORCH_CHECK(a.bias->dim() == 1 && a.bias->size(0) == a.weight.size(0), "[", a.op, "] bias: expected ",
              a.weight.size(0), " values, one an output, got shape ", a.bias->sizes());
}

/// The mask, or nothing where it has no 1.
Tensor mask_or_none(const Tensor& mask) {
  const auto* bytes = mask.const_data_ptr<uint8_t>();
  const bool is_zero = std::all_of(bytes, bytes + mask.numel(), [](uint8_t byte) { return byte == 0; });
  return is_zero ? Tensor() : mask;
}

}  // namespace

Grids weight_grids(const char* op, const WeightGrid& grid, const Tensor& weight) {
  const Tensor zero_point = is_affine(grid) ? *grid.zero_point : Tensor();
  return checked_grids({op, "weight_", grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size},
                       weight);
}

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
  TORCH_CHECK(a.weight_grid.group_size % 4 == 0, "[", a.op, "] group_size: expected a multiple of 4, got ",
              a.weight_grid.group_size, "; use 32, 64 or 128");
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

LayerOutput empty_layer_output(const LayerArguments& a, at::IntArrayRef y_sizes) {
  LayerOutput out;
  out.y = at::empty(y_sizes, a.x.options());
  out.x_codes = at::empty(a.x.sizes(), a.x.options().dtype(at::kChar));
  out.clip_mask = empty_clip_mask(a.x);
  out.saw_nan = at::empty({}, a.x.options().dtype(at::kBool));
  out.x_range = at::empty({a.options.observe ? 2 : 0}, a.x.options());
  return out;
}

LayerOutput quantized_input(const LayerArguments& a, const kernels::AffineGrid& grid,
                            at::IntArrayRef y_sizes) {
  LayerOutput out = empty_layer_output(a, y_sizes);
  const Tensor x = a.x.contiguous();
  const kernels::QuantizeArgs args{.x = x.const_data_ptr<float>(),
                                   .codes = out.x_codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = out.clip_mask.mutable_data_ptr<uint8_t>(),
                                   .fold_relu = a.options.relu_input};
  kernels::MinMax range;
  std::mutex merging;
  for_each_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    kernels::MinMax part;
    if (a.options.observe)
      part = kernels::observe_quantize_run(args, grid, begin, end);
    else
      part.saw_nan = kernels::quantize_run(args, grid, begin, end);
    const std::lock_guard lock(merging);
    range = kernels::merge(range, part);
  });
  *out.saw_nan.mutable_data_ptr<bool>() = range.saw_nan;
  if (a.options.observe) {
    out.x_range.mutable_data_ptr<float>()[0] = range.min;
    out.x_range.mutable_data_ptr<float>()[1] = range.max;
  }
  return out;
}

Tensor packed_weight(const LayerArguments& a, WeightOrder order) {
  if (a.packed.has_value() && a.packed->defined()) return *a.packed;
  return packed_on_grid(a.op, a.weight, a.weight_grid, order);
}

const float* bias_data(const std::optional<Tensor>& bias, Tensor& holder) {
  if (!bias.has_value() || !bias->defined()) return nullptr;
  holder = bias->contiguous();
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

void save_layer(torch::autograd::AutogradContext* context, const LayerArguments& a, const LayerOutput& out) {
  // The scale and zero point of x may move before backward runs: the ones of this call are kept.
  context->save_for_backward({out.x_codes, out.clip_mask, a.x_grid.scale.clone(), a.x_grid.zero_point.clone(),
                              a.weight, a.weight_grid.scale,
                              is_affine(a.weight_grid) ? *a.weight_grid.zero_point : Tensor()});
  const bool has_bias = a.bias.has_value() && a.bias->defined();  // an absent one is no autograd input
  context->saved_data["layer"] = std::vector<int64_t>{a.x_grid.qmin,
                                                      a.x_grid.qmax,
                                                      a.weight_grid.qmin,
                                                      a.weight_grid.qmax,
                                                      a.weight_grid.group_size,
                                                      has_bias ? 1 : 0,
                                                      static_cast<int64_t>(a.options.backward)};
}

SavedLayer saved_layer(torch::autograd::AutogradContext* context) {
  const torch::autograd::variable_list t = context->get_saved_variables();
  const std::vector<int64_t> v = context->saved_data["layer"].toIntVector();
  SavedLayer saved{.x_codes = t[0],
                   .clip_mask = t[1],
                   .x_grid = {t[2], t[3], v[0], v[1]},
                   .weight = t[4],
                   .weight_grid = {t[5], std::nullopt, v[2], v[3], v[4]},
                   .has_bias = v[5] != 0,
                   .backward = static_cast<BackwardMode>(v[6])};
  if (t[6].defined()) saved.weight_grid.zero_point = t[6];
  return saved;
}

RebuiltWeight weight_reals(const SavedLayer& saved, Workspace purpose) {
  const Tensor weight = saved.weight.contiguous();
  const Grids grids = weight_grids("backward", saved.weight_grid, weight);
  const Tensor reals = workspace(purpose, weight.sizes());
  const Tensor mask = workspace(Workspace::kMask, {(weight.numel() + 7) / 8}, at::kByte);
  const kernels::FakeQuantizeArgs args{.x = weight.const_data_ptr<float>(),
                                       .y = reals.mutable_data_ptr<float>(),
                                       .clip_mask = mask.mutable_data_ptr<uint8_t>()};
  for_each_mask_bytes(weight.numel(), [&](int64_t begin, int64_t end) {
    kernels::fake_quantize(args, grids.table, begin, end);
  });
  return {reals, mask_or_none(mask)};
}

RebuiltWeight weight_codes(const SavedLayer& saved) {
  const Tensor weight = saved.weight.contiguous();
  const Grids grids = weight_grids("backward", saved.weight_grid, weight);
  const Tensor codes = workspace(Workspace::kWeight, weight.sizes(), at::kChar);
  const Tensor mask = workspace(Workspace::kMask, {(weight.numel() + 7) / 8}, at::kByte);
  auto* data = codes.mutable_data_ptr<int8_t>();
  const kernels::QuantizeArgs args{
      .x = weight.const_data_ptr<float>(), .codes = data, .clip_mask = mask.mutable_data_ptr<uint8_t>()};
  for_each_mask_bytes(weight.numel(), [&](int64_t begin, int64_t end) {
    kernels::quantize(args, grids.table, begin, end);
    if (!is_affine(saved.weight_grid)) return;
    kernels::for_each_run(grids.table, begin, end, [&](int64_t first, int64_t last, int64_t index) {
      for (int64_t i = first; i < last; ++i)
        data[i] = static_cast<int8_t>(data[i] - grids.table.zero_point[index]);
    });
  });
  return {codes, mask_or_none(mask)};
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
    kernels::fake_quantize_backward(data, mask, data, begin, end);
  });
}

Tensor column_sums(const Tensor& grad_y) {
  const int64_t m = grad_y.size(0), n = grad_y.size(1), blocks = kernels::sum_blocks(m);
  const Tensor block_sums = workspace(Workspace::kSums, {blocks, n});
  const kernels::MaskAndSumArgs args{.g = grad_y.const_data_ptr<float>(),
                                     .m = m,
                                     .n = n,
                                     .relu_mask = nullptr,
                                     .masked = nullptr,
                                     .block_sums = block_sums.mutable_data_ptr<float>()};
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(kernels::kSumRows * n, 1);
  at::parallel_for(0, blocks, grain, [&](int64_t first, int64_t last) {
    kernels::mask_and_sum(args, first * kernels::kSumRows, std::min(last * kernels::kSumRows, m));
  });
  const Tensor sums = at::empty({n}, grad_y.options());
  kernels::add_block_sums(args.block_sums, blocks, n, sums.mutable_data_ptr<float>(), 0, n);
  return sums;
}

}  // namespace samebits::ops
