#include "tests/benchmark/kernel_cases.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/formats/codebook.h"
#include "kernels/formats/fake_quantize_small_float.h"
#include "kernels/formats/mx.h"
#include "kernels/formats/pack_int4.h"
#include "kernels/observe/moving_average.h"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/lsq.h"
#include "kernels/quantize/quantize.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

constexpr double kMaskBytes = 1.0 / 8;          // a clip bit an element
constexpr kernels::AffineGrid kGrid{0.02f, 3};  // of all "per tensor" cases

/// Splits [0, n) between the threads at multiples of `unit`.
template <class Body>
void in_parallel(std::int64_t n, std::int64_t unit, const Body& body) {
  at::parallel_for(
      0, (n + unit - 1) / unit, std::max<std::int64_t>(at::internal::GRAIN_SIZE / unit, 1),
      [&](std::int64_t first, std::int64_t last) { body(first * unit, std::min(last * unit, n)); });
}

kernels::FloatType float_type(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? kernels::FloatType::kBfloat16 : kernels::FloatType::kFloat32;
}

/// Grids of a granularity, with the tensors that own them.
struct Grids {
  Tensor scale, zero_point;
  std::int64_t row_length, group_size, rows;

  Grids(std::int64_t count, std::int64_t row, std::int64_t group)
      : scale(torch::rand({count}) * 0.01 + 0.015),
        zero_point(torch::randint(-5, 5, {count}, torch::kInt)),
        row_length(row),
        group_size(group),
        rows(count / ((row + group - 1) / group)) {}
  kernels::GridTable table() const {
    return {scale.const_data_ptr<float>(),
            zero_point.const_data_ptr<std::int32_t>(),
            -128,
            127,
            row_length,
            group_size,
            rows};
  }
};

/// y and clip mask of a new tensor.
struct Outputs {
  explicit Outputs(const Tensor& x)
      : y(at::empty_like(x)), clip_mask(at::empty({(x.numel() + 7) / 8}, at::kByte)) {}
  Tensor y, clip_mask;
  std::uint8_t* mask() const { return clip_mask.mutable_data_ptr<std::uint8_t>(); }
};

void fake_quantize(const Tensor& x, const kernels::GridTable& table) {
  const Outputs out(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), out.y.mutable_data_ptr(), out.mask(),
                                       float_type(x)};
  in_parallel(x.numel(), 8,
              [&](std::int64_t begin, std::int64_t end) { kernels::fake_quantize(args, table, begin, end); });
}

/// The range of the batches before, and the grid of it.
struct MovingGrid {
  float min = 0.0f, max = 0.0f;
  std::int64_t batches = 0;
  kernels::AffineGrid grid = kGrid;
};

void observe_and_fake_quantize(const Tensor& x, MovingGrid& moving) {
  const Outputs out(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), out.y.mutable_data_ptr(), out.mask(),
                                       float_type(x)};
  const kernels::MinMax range = at::parallel_reduce(
      0, x.numel() / 8, at::internal::GRAIN_SIZE / 8, kernels::MinMax{},
      [&](std::int64_t first, std::int64_t last, const kernels::MinMax& before) {
        return kernels::merge(before,
                              kernels::observe_fake_quantize_run(args, moving.grid, 8 * first, 8 * last));
      },
      [](const kernels::MinMax& a, const kernels::MinMax& b) { return kernels::merge(a, b); });
  kernels::move_grid({&moving.min, &moving.max, &moving.batches, &moving.grid.scale, &moving.grid.zero_point},
                     range.min, range.max, {});
}

void ste_backward(const Tensor& grad_y, const Tensor& clip_mask) {
  const Tensor grad_x = at::empty_like(grad_y);
  in_parallel(grad_y.numel(), 8, [&](std::int64_t begin, std::int64_t end) {
    kernels::fake_quantize_backward(grad_y.const_data_ptr(), clip_mask.const_data_ptr<std::uint8_t>(),
                                    grad_x.mutable_data_ptr(), begin, end, kernels::FloatType::kFloat32);
  });
}

void lsq_backward(const Operands& o, kernels::GridTable table) {
  if (table.row_length > o.n) table.row_length = table.group_size = o.n;
  const Tensor grad_x = at::empty_like(o.x);
  const kernels::LsqArgs args{o.x.const_data_ptr(), o.grad_y.const_data_ptr(), grad_x.mutable_data_ptr()};
  const kernels::LsqLayout layout(table, o.n);
  std::vector<kernels::LsqSums> sums(static_cast<std::size_t>(layout.slots()));
  const std::int64_t slots_of_a_grain =
      layout.slots() * at::internal::GRAIN_SIZE / std::max<std::int64_t>(o.n, 1);
  at::parallel_for(0, layout.slots(), slots_of_a_grain + 1, [&](std::int64_t begin, std::int64_t end) {
    kernels::lsq_backward(args, table, o.n, sums.data(), begin, end);
  });
  std::vector<float> grad_scale(static_cast<std::size_t>(table.grids())), grad_zero_point(grad_scale.size());
  kernels::lsq_fold(sums.data(), table, o.n, grad_scale.data(), grad_zero_point.data());
}

Tensor quantize(const Tensor& x) {
  Tensor codes = at::empty(x.sizes(), at::kChar);
  const kernels::QuantizeArgs args{x.const_data_ptr(), codes.mutable_data_ptr<std::int8_t>(), nullptr};
  in_parallel(x.numel(), 8,
              [&](std::int64_t begin, std::int64_t end) { kernels::quantize_run(args, kGrid, begin, end); });
  return codes;
}

void dequantize_codes(const Tensor& codes) {
  const Tensor y = at::empty(codes.sizes(), at::kFloat);
  in_parallel(codes.numel(), 8, [&](std::int64_t begin, std::int64_t end) {
    kernels::dequantize_run(codes.const_data_ptr<std::int8_t>(), y.mutable_data_ptr(), kGrid, begin, end);
  });
}

Tensor pack_int4(const Tensor& codes) {
  Tensor packed = at::empty({kernels::packed_int4_bytes(codes.numel())}, at::kByte);
  const auto* from = codes.const_data_ptr<std::int8_t>();
  auto* to = packed.mutable_data_ptr<std::uint8_t>();
  in_parallel(codes.numel(), 2, [&](std::int64_t begin, std::int64_t end) {
    kernels::pack_int4(from + begin, end - begin, to + begin / 2);
  });
  return packed;
}

void unpack_int4(const Tensor& packed, std::int64_t n) {
  const Tensor codes = at::empty({n}, at::kChar);
  const auto* from = packed.const_data_ptr<std::uint8_t>();
  auto* to = codes.mutable_data_ptr<std::int8_t>();
  in_parallel(n, 2, [&](std::int64_t begin, std::int64_t end) {
    kernels::unpack_int4(from + begin / 2, end - begin, to + begin);
  });
}

void fake_quantize_codebook(const Tensor& x, const kernels::Codebook& codebook) {
  const Outputs out(x);
  const kernels::CodebookArgs args{x.const_data_ptr(), out.y.mutable_data_ptr(), nullptr, out.mask()};
  const kernels::GridTable table = kernels::table_of(kGrid);
  in_parallel(x.numel(), 8, [&](std::int64_t begin, std::int64_t end) {
    kernels::fake_quantize_codebook(args, codebook, table, begin, end);
  });
}

void fake_quantize_float8(const Tensor& x) {
  const Outputs out(x);
  const kernels::SmallFloatArgs args{x.const_data_ptr(), out.y.mutable_data_ptr(), nullptr, out.mask()};
  const kernels::GridTable table = kernels::table_of(kGrid);
  in_parallel(x.numel(), 8, [&](std::int64_t begin, std::int64_t end) {
    kernels::fake_quantize_small_float(args, kernels::kFloat8E4M3, kernels::Overflow::kSaturate, table, begin,
                                       end);
  });
}

void fake_quantize_mx(const Tensor& x, const kernels::MxFormat& format) {
  const Outputs out(x);
  const kernels::MxArgs args{x.const_data_ptr(), out.y.mutable_data_ptr(), nullptr, nullptr, out.mask()};
  const kernels::MxRows rows{kRowLength};
  at::parallel_for(0, x.numel() / kernels::kMxBlock, at::internal::GRAIN_SIZE / kernels::kMxBlock,
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::fake_quantize_mx(args, format, rows, begin, end);
                   });
}

/// ATen's grids and moving average, as fused_moving_avg_obs_fake_quant keeps them.
struct AtenObserver {
  Tensor on = torch::ones({1}, torch::kLong);
  Tensor min = torch::full({1}, INFINITY), max = torch::full({1}, -INFINITY);
  Tensor scale = torch::ones({1}), zero_point = torch::zeros({1}, torch::kInt);
  void run(const Tensor& x) {
    at::fused_moving_avg_obs_fake_quant(x, on, on, min, max, scale, zero_point, 0.01, -128, 127, -1);
  }
};

}  // namespace

std::vector<Case> forward_cases(const Operands& o) {
  const auto first_axis = std::make_shared<Grids>(o.n / kRowLength, kRowLength, kRowLength);
  const auto last_axis = std::make_shared<Grids>(kRowLength, 1, 1);
  const auto groups = std::make_shared<Grids>(o.n / 32, kRowLength, 32);
  const auto aten_observer = std::make_shared<AtenObserver>();
  const auto per_tensor = [](const Tensor& x) { fake_quantize(x, kernels::table_of(kGrid)); };
  const auto aten_per_tensor = [](const Tensor& x) {
    at::fake_quantize_per_tensor_affine_cachemask(x, kGrid.scale, kGrid.zero_point, -128, 127);
  };
  const auto aten_per_channel = [](const Tensor& x, const Grids& grids, std::int64_t axis) {
    at::fake_quantize_per_channel_affine_cachemask(x, grids.scale, grids.zero_point, axis, -128, 127);
  };
  return {
      {"fake_quantize per tensor",
       8 + kMaskBytes,
       [=, &o] { per_tensor(o.x); },
       [=, &o] { aten_per_tensor(o.x); },
       {10, 0.8}},
      {"fake_quantize per channel, first axis",
       8 + kMaskBytes,
       [=, &o] { fake_quantize(o.x, first_axis->table()); },
       [=, &o] { aten_per_channel(o.x, *first_axis, 0); },
       {12, 0}},
      {"fake_quantize per channel, last axis",
       8 + kMaskBytes,
       [=, &o] { fake_quantize(o.x, last_axis->table()); },
       [=, &o] { aten_per_channel(o.x, *last_axis, 1); },
       {12, 0}},
      {"fake_quantize groups of 32", 8 + kMaskBytes + 8.0 / 32,
       [=, &o] { fake_quantize(o.x, groups->table()); },
       [=, &o] {
         aten_per_channel(o.x.view({-1, 32}), *groups, 0);
       }},
      {"fake_quantize per tensor, bfloat16",
       4 + kMaskBytes,
       [=, &o] { per_tensor(o.bf16); },
       [=, &o] { aten_per_tensor(o.bf16); },
       {},
       [=, &o] { per_tensor(o.x); }},
      {"observe + fake_quantize",
       8 + kMaskBytes,
       [&o, moving = MovingGrid()]() mutable { observe_and_fake_quantize(o.x, moving); },
       [=, &o] { aten_observer->run(o.x); },
       {8, 0}},
      {"quantize", 5, [&o] { quantize(o.x); },
       [&o] { at::quantize_per_tensor(o.x, kGrid.scale, kGrid.zero_point, at::kQInt8); }},
  };
}

std::vector<Case> backward_cases(const Operands& o) {
  const Tensor bools =
      std::get<1>(at::fake_quantize_per_tensor_affine_cachemask(o.x, kGrid.scale, 3, -128, 127));
  const Outputs saved(o.x);
  kernels::fake_quantize_run({o.x.const_data_ptr(), saved.y.mutable_data_ptr(), saved.mask()}, kGrid, 0, o.n);
  const Tensor bits = saved.clip_mask, scale = torch::full({1}, kGrid.scale),
               zero_point = torch::full({1}, 3.0f);
  const auto first_axis = std::make_shared<Grids>(o.n / kRowLength, kRowLength, kRowLength);
  return {
      {"straight-through backward",
       8 + kMaskBytes,
       [=, &o] { ste_backward(o.grad_y, bits); },
       [=, &o] { at::fake_quantize_per_tensor_affine_cachemask_backward(o.grad_y, bools); },
       {3, 0}},
      {"learned scale backward per tensor",
       12,
       [&o] { lsq_backward(o, kernels::table_of(kGrid)); },
       [=, &o] {
         at::_fake_quantize_learnable_per_tensor_affine_backward(o.grad_y, o.x, scale, zero_point, -128, 127);
       },
       {15, 0}},
      {"learned scale backward per channel",
       12,
       [=, &o] { lsq_backward(o, first_axis->table()); },
       [=, &o] {
         at::_fake_quantize_learnable_per_channel_affine_backward(
             o.grad_y, o.x, first_axis->scale, first_axis->zero_point.to(at::kFloat), 0, -128, 127);
       },
       {15, 0}},
  };
}

std::vector<Case> code_cases(const Operands& o) {
  const Tensor codes = quantize(o.x), packed = pack_int4(o.codes);
  const Tensor aten_codes = at::quantize_per_tensor(o.x, kGrid.scale, kGrid.zero_point, at::kQInt8);
  const kernels::Codebook normal_float = kernels::normal_float4();
  return {
      {"dequantize", 5, [=] { dequantize_codes(codes); }, [=] { at::dequantize(aten_codes); }},
      {"pack_int4", 1.5, [&o] { pack_int4(o.codes); }, nullptr, {0, 0.5}},
      {"unpack_int4", 1.5, [=, &o] { unpack_int4(packed, o.n); }, nullptr, {0, 0.5}},
      {"fake_quantize to NF4", 8 + kMaskBytes, [=, &o] { fake_quantize_codebook(o.x, normal_float); }},
      {"fake_quantize to FP8 E4M3", 8 + kMaskBytes, [&o] { fake_quantize_float8(o.x); }},
      {"fake_quantize to MXFP8 E4M3", 8 + kMaskBytes,
       [&o] { fake_quantize_mx(o.x, kernels::kMxFloat8E4M3); }},
      {"fake_quantize to MXFP4", 8 + kMaskBytes, [&o] { fake_quantize_mx(o.x, kernels::kMxFloat4E2M1); }},
  };
}

}  // namespace samebits::benchmark
