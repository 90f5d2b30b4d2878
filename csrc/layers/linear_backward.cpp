#include "csrc/layers/linear_backward.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "csrc/layers/region_threads.h"
#include "csrc/quantize/grids.h"
#include "kernels/matmul/gemm_bf16.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/pack_bf16.h"
#include "kernels/observe/min_max.h"
#include "kernels/quantize/column_sums.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/stochastic.h"

namespace samebits::ops {

using at::Tensor;

namespace {

/// One call's sizes and operands.
struct Sizes {
  int64_t m, n, k;
};
struct Call : Sizes {
  const SavedLayer& saved;
  Tensor grad_y;  // [m, n], contiguous
  const WantedGradients& wanted;
  bool wants_x() const { return wanted[0]; }
  bool wants_weight() const { return wanted[1] || wanted[3]; }  // a channel scale's comes of it
  bool wants_bias() const { return wanted[2]; }
  bool has_channel_scale() const { return saved.channel_scale.has_value(); }
};

/// Splits [0, n) at multiples of `unit`, for kernels that want aligned begins.
template <class Body>
void parallel_units(int64_t n, int64_t unit, int64_t work_of_one, const Body& body) {
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(unit * work_of_one, 1);
  at::parallel_for(0, (n + unit - 1) / unit, grain,
                   [&](int64_t first, int64_t last) { body(first * unit, std::min(last * unit, n)); });
}

/// Float operands are made in panels of columns that stay in cache, and reuse one buffer: no float copy of a
/// weight or an input ever exists whole.
constexpr int64_t kPanelElements = 1 << 20;
int64_t panel_width(int64_t lines, int64_t columns, int64_t unit) {
  const int64_t fitting = kPanelElements / std::max<int64_t>(lines, 1) / unit * unit;
  return std::min(std::max(fitting, unit), columns);
}

/// Calls multiply(panel, first column) for panels [lines, width] that fill(panel, first column) has written.
template <class Fill, class Multiply>
void for_each_panel(int64_t lines, int64_t columns, int64_t unit, const Fill& fill,
                    const Multiply& multiply) {
  const int64_t width = panel_width(lines, columns, unit);
  for (int64_t first = 0; first < columns; first += width) {
    const Tensor panel = workspace(Workspace::kInput, {lines, std::min(width, columns - first)});
    fill(panel, first);
    multiply(panel, first);
  }
}

/// grad_y times the weight on its grid, masked where x was clipped.
Tensor grad_x_f32(const Call& c, const RebuiltWeight& weight) {
  Tensor grad_x = at::empty({c.m, c.k}, c.grad_y.options());
  const int64_t unit = std::max<int64_t>(c.saved.weight_grid.group_size, 64);
  WeightGrid grid = c.saved.weight_grid;
  grid.scale = scale_to_x(c.saved);
  for_each_panel(
      c.n, c.k, unit, [&](const Tensor& panel, int64_t first) { weight_reals(weight, grid, first, panel); },
      [&](const Tensor& panel, int64_t first) {
        Tensor columns = grad_x.narrow(1, first, panel.size(1));
        at::mm_out(columns, c.grad_y, panel);
      });
  grad_x = grad_x.view(c.saved.x_codes.sizes());
  apply_clip_mask(grad_x, c.saved.clip_mask);
  return grad_x;
}

/// grad_y transposed times the input on its grid.
Tensor grad_weight_f32(const Call& c) {
  Tensor grad_weight = at::empty({c.n, c.k}, c.grad_y.options());
  const kernels::AffineGrid grid = activation_grid("backward", c.saved.x_grid);
  const int8_t* codes = c.saved.x_codes.const_data_ptr<int8_t>();
  for_each_panel(
      c.m, c.k, 64,
      [&](const Tensor& panel, int64_t first) {
        float* to = panel.mutable_data_ptr<float>();
        parallel_units(c.m, 1, panel.size(1), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row)
            kernels::dequantize_run(codes + row * c.k + first, to + row * panel.size(1), grid, 0,
                                    panel.size(1));
        });
      },
      [&](const Tensor& panel, int64_t first) {
        Tensor columns = grad_weight.narrow(1, first, panel.size(1));
        at::mm_out(columns, c.grad_y.t(), panel);
      });
  return grad_weight;
}

LayerGradients backward_f32(const Call& c) {
  LayerGradients gradients;
  if (c.wants_bias()) gradients.bias = column_sums(c.grad_y);
  if (!c.wants_x() && !c.wants_weight()) return gradients;
  const RebuiltWeight weight = rebuild_weight(c.saved.weight, c.saved.weight_grid);
  if (c.wants_x()) gradients.x = grad_x_f32(c, weight);
  if (!c.wants_weight()) return gradients;
  gradients.weight = grad_weight_f32(c);
  if (c.has_channel_scale())
    gradients.channel_scale = finish_scaled_weight(c.saved, weight, gradients.weight);
  else
    apply_clip_mask(gradients.weight, weight.clip_mask);
  return gradients;
}

Tensor packed_workspace(Workspace purpose, int64_t lines, int64_t depth) {
  return workspace(purpose, {kernels::packed_bf16_size(lines, depth)}, at::kBFloat16);
}
kernels::Bf16* data_of(const Tensor& tensor) {
  return static_cast<kernels::Bf16*>(tensor.mutable_data_ptr());
}

void multiply(const kernels::GemmBf16Args& args) {
  for_each_part(args.rows * args.columns * args.depth, [&](int64_t part, int64_t parts) {
    kernels::gemm_bf16(args, kernels::gemm_bf16_region(args.rows, args.columns, part, parts));
  });
}

/// The gradient as both products read it, and the bias gradient, in one pass.
struct PackedGradient {
  Tensor for_grad_x, for_grad_weight, bias;
};
PackedGradient packed_gradient(const Call& c, const Tensor& weight_scale, bool wants_x) {
  PackedGradient out;
  const int64_t blocks = kernels::sum_blocks(c.m);
  const Tensor sums = workspace(Workspace::kSums, {c.wants_bias() ? blocks : 0, c.n});
  if (wants_x) out.for_grad_x = packed_workspace(Workspace::kPackedA, c.m, c.n);
  if (c.wants_weight()) out.for_grad_weight = packed_workspace(Workspace::kPackedTransposed, c.n, c.m);
  const kernels::PackGradientArgs args{
      .g = c.grad_y.const_data_ptr<float>(),
      .m = c.m,
      .n = c.n,
      .scale = weight_scale.defined() ? weight_scale.const_data_ptr<float>() : nullptr,
      .scale_count = weight_scale.defined() ? weight_scale.numel() : 0,
      .for_grad_x = wants_x ? data_of(out.for_grad_x) : nullptr,
      .for_grad_weight = c.wants_weight() ? data_of(out.for_grad_weight) : nullptr,
      .block_sums = c.wants_bias() ? sums.mutable_data_ptr<float>() : nullptr};
  parallel_units(c.m, kernels::kSumRows, c.n,
                 [&](int64_t begin, int64_t end) { kernels::pack_gradient(args, begin, end); });
  if (!c.wants_bias()) return out;
  out.bias = at::empty({c.n}, c.grad_y.options());
  kernels::add_block_sums(args.block_sums, blocks, c.n, out.bias.mutable_data_ptr<float>(), 0, c.n);
  return out;
}

Tensor packed_codes(const kernels::PackCodesArgs& without_output) {
  const Tensor packed = packed_workspace(Workspace::kPackedB, without_output.columns, without_output.depth);
  kernels::PackCodesArgs args = without_output;
  args.packed = data_of(packed);
  parallel_units(args.depth, kernels::kBf16Block, args.columns,
                 [&](int64_t begin, int64_t end) { kernels::pack_codes(args, begin, end); });
  return packed;
}

Tensor grad_x_bf16(const Call& c, const RebuiltWeight& weight, const PackedGradient& gradient,
                   const Tensor& group_scale) {
  const Tensor codes =
      packed_codes({.codes = weight.centered.const_data_ptr<int8_t>(),
                    .depth = c.n,
                    .columns = c.k,
                    .scale = group_scale.defined() ? group_scale.const_data_ptr<float>() : nullptr,
                    .group_size = c.saved.weight_grid.group_size});
  const Tensor grad_x = at::empty(c.saved.x_codes.sizes(), c.grad_y.options());
  multiply({.a = data_of(gradient.for_grad_x),
            .b = data_of(codes),
            .rows = c.m,
            .columns = c.k,
            .depth = c.n,
            .clip_mask = c.saved.clip_mask.const_data_ptr<uint8_t>(),
            .output = grad_x.mutable_data_ptr<float>(),
            .output_stride = c.k});
  return grad_x;
}

Tensor grad_weight_bf16(const Call& c, const Tensor& clip_mask, const PackedGradient& gradient) {
  const kernels::AffineGrid grid = activation_grid("backward", c.saved.x_grid);
  const Tensor codes = packed_codes({.codes = c.saved.x_codes.const_data_ptr<int8_t>(),
                                     .depth = c.m,
                                     .columns = c.k,
                                     .zero_point = grid.zero_point});
  const Tensor grad_weight = at::empty({c.n, c.k}, c.grad_y.options());
  multiply({.a = data_of(gradient.for_grad_weight),
            .b = data_of(codes),
            .rows = c.n,
            .columns = c.k,
            .depth = c.m,
            .scale = grid.scale,
            .clip_mask = clip_mask.defined() ? clip_mask.const_data_ptr<uint8_t>() : nullptr,
            .output = grad_weight.mutable_data_ptr<float>(),
            .output_stride = c.k});
  return grad_weight;
}

/// Another seed each call, from torch's generator: torch::manual_seed repeats a run.
std::uint64_t drawn_seed() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

/// Whether the int8 product fits: one scale a channel, and sums that int32 holds.
bool takes_int8(const Call& c) {
  return c.saved.weight_grid.group_size == 0 && c.n <= kernels::max_depth(-127, 127, 127);
}

/// int8 codes of g * weight scale, one symmetric grid a row, rounded stochastically; `scale` gets the grids'
/// scales.
Tensor gradient_codes(const Call& c, const Tensor& scale) {
  const Tensor scaled = workspace(Workspace::kGradient, {c.m, c.n});
  const Tensor codes = workspace(Workspace::kPackedA, {c.m, c.n}, at::kChar);
  const Tensor weight_scale = scale_to_x(c.saved);
  const float* channel_scale = weight_scale.const_data_ptr<float>();
  const int64_t step = weight_scale.numel() == 1 ? 0 : 1;
  const float* grad = c.grad_y.const_data_ptr<float>();
  float *values = scaled.mutable_data_ptr<float>(), *scales = scale.mutable_data_ptr<float>();
  const kernels::StochasticArgs args{
      .x = values, .codes = codes.mutable_data_ptr<int8_t>(), .clip_mask = nullptr, .seed = drawn_seed()};
  const kernels::GridTable table{scales, nullptr, -127, 127, c.n, c.n, c.m};
  parallel_units(c.m, 1, c.n, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < c.n; ++i) values[row * c.n + i] = grad[row * c.n + i] * channel_scale[i * step];
      const kernels::MinMax range = kernels::min_max(values, row * c.n, (row + 1) * c.n);
      const bool is_finite = !range.saw_nan && std::isfinite(range.min) && std::isfinite(range.max);
      // A row that holds NaN or infinity becomes NaN, as it would in a float product.
      scales[row] = is_finite
                        ? kernels::grid_of_range(range.min, range.max, -127, 127, /*symmetric=*/true).scale
                        : std::numeric_limits<float>::quiet_NaN();
    }
    kernels::quantize_stochastic(args, table, begin * c.n, end * c.n);
  });
  return codes;
}

/// grad_x from int8 codes of the gradient: as SwitchBack (arXiv 2304.13013), with stochastic rounding.
Tensor grad_x_int8(const Call& c, const RebuiltWeight& weight) {
  const Tensor scale = at::empty({c.m}, c.grad_y.options());
  const Tensor codes = gradient_codes(c, scale);
  const Tensor transposed = weight.centered.t().contiguous();  // [k, n]: depth n
  const Tensor packed = workspace(Workspace::kPackedB, {kernels::packed_size(c.k, c.n)}, at::kChar);
  auto* packed_data = packed.mutable_data_ptr<int8_t>();
  parallel_units(c.k, kernels::kColumnBlock, c.n, [&](int64_t begin, int64_t end) {
    kernels::pack_gemm_b(transposed.const_data_ptr<int8_t>(), c.k, c.n, packed_data, begin, end);
  });
  Tensor grad_x = at::empty(c.saved.x_codes.sizes(), c.grad_y.options());
  const Tensor no_correction = at::zeros({c.m}, at::kInt);
  const kernels::GemmInt8Args args{
      .a = codes.const_data_ptr<int8_t>(),
      .a_stride = c.n,
      .b = packed_data,
      .n = c.k,
      .k = c.n,
      .output = grad_x.mutable_data_ptr<float>(),
      .output_stride = c.k,
      .epilogue = {.terms = {no_correction.const_data_ptr<int32_t>(), scale.const_data_ptr<float>(), nullptr},
                   .channels_are_rows = true}};
  for_each_part(c.m * c.k * c.n, [&](int64_t part, int64_t parts) {
    kernels::gemm_int8(args, kernels::gemm_region(c.m, c.k, part, parts));
  });
  apply_clip_mask(grad_x, c.saved.clip_mask);
  return grad_x;
}

/// kBfloat16, and kInt8, which differs in grad_x.
LayerGradients backward_on_codes(const Call& c) {
  const WeightGrid& grid = c.saved.weight_grid;
  const bool is_grouped = grid.group_size > 0;
  const Tensor scale = scale_to_x(c.saved);
  const bool by_int8 = c.saved.backward == BackwardMode::kInt8 && takes_int8(c);
  // A scale a channel goes into the gradient; with groups along k it goes into the weight.
  const PackedGradient gradient = packed_gradient(c, is_grouped ? Tensor() : scale, c.wants_x() && !by_int8);
  const RebuiltWeight weight = rebuild_weight(c.saved.weight, c.saved.weight_grid);
  LayerGradients gradients{.bias = gradient.bias};
  if (c.wants_weight()) {
    const bool masks_later = c.has_channel_scale();
    gradients.weight = grad_weight_bf16(c, masks_later ? Tensor() : weight.clip_mask, gradient);
    if (masks_later) gradients.channel_scale = finish_scaled_weight(c.saved, weight, gradients.weight);
  }
  if (c.wants_x() && by_int8) gradients.x = grad_x_int8(c, weight);
  if (c.wants_x() && !by_int8)
    gradients.x = grad_x_bf16(c, weight, gradient, is_grouped ? scale.t().contiguous() : Tensor());
  return gradients;
}

}  // namespace

LayerGradients linear_backward(const LinearBackwardCall& call) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::autocast_dispatch_keyset);  // float32 sums stay float32
  const int64_t n = call.saved.weight.size(0), k = call.saved.weight.size(1);
  const int64_t m = n == 0 ? 0 : call.grad_y.numel() / n;
  const Call c{{m, n, k}, call.saved, call.grad_y.contiguous().reshape({m, n}), call.wanted};
  return call.saved.backward == BackwardMode::kFloat32 ? backward_f32(c) : backward_on_codes(c);
}

}  // namespace samebits::ops
