// torch operators over kernels/observe/observe_quantize.h and kernels/observe/moving_average.h: schema,
// checks, CPU, Meta, autograd.
#include "csrc/observe/observe_quantize.h"

#include <torch/library.h>

#include <limits>
#include <mutex>

#include "csrc/common/check.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/clip_mask_threads.h"
#include "csrc/quantize/grids.h"
#include "csrc/quantize/straight_through.h"
#include "kernels/observe/moving_average.h"
#include "kernels/observe/observe_quantize.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "observe_quantize(Tensor x, Tensor(a!) min, Tensor(b!) max, Tensor(c!) batches, Tensor(d!) scale,"
      " Tensor(e!) zero_point, float averaging, int qmin, int qmax, bool symmetric=False,"
      " bool relu_input=False) -> (Tensor codes, Tensor clip_mask, Tensor saw_nan)");
  library.def(
      "observe_fake_quantize(Tensor x, Tensor(a!) min, Tensor(b!) max, Tensor(c!) batches, Tensor(d!) scale,"
      " Tensor(e!) zero_point, float averaging, int qmin, int qmax, bool symmetric=False)"
      " -> (Tensor y, Tensor clip_mask, Tensor saw_nan)");
}

namespace {

using CodesSignature = Quantized(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                 const Tensor&, double, int64_t, int64_t, bool, bool);
using RealsSignature = FakeQuantized(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                     const Tensor&, const Tensor&, double, int64_t, int64_t, bool);

void check_state(const char* op, const char* name, const Tensor& tensor, at::ScalarType type) {
  check_dtype(op, name, tensor, type);
  TORCH_CHECK(tensor.numel() == 1, "[", op, "] ", name, ": expected 1 element, got ", tensor.numel());
  TORCH_CHECK(!tensor.requires_grad(), "[", op, "] ", name,
              ": expected a buffer, got a tensor that requires grad; it is written in place");
}

/// The element of a state tensor.
template <class T>
T& element(const Tensor& tensor) {
  return *tensor.mutable_data_ptr<T>();
}

/// Takes the range of a batch into `average`. Its size and infinities are refused, not averaged.
kernels::AffineGrid next_grid(const char* op, kernels::MovingAverage& average, const kernels::MinMax& range,
                              const MovingGridRule& rule) {
  constexpr float kLargest = std::numeric_limits<float>::max() / 4;
  const bool is_empty = range.min > range.max;
  TORCH_CHECK(is_empty || (range.min >= -kLargest && range.max <= kLargest), "[", op,
              "] x: expected values within ±", kLargest, ", got ", range.min, " to ", range.max,
              "; look at the batch and the learning rate");
  return kernels::moving_average_update(average, range.min, range.max, static_cast<float>(rule.averaging),
                                        static_cast<int32_t>(rule.qmin), static_cast<int32_t>(rule.qmax),
                                        rule.symmetric);
}

void store(const kernels::MovingAverage& average, const kernels::AffineGrid& grid, const MovingGrid& state) {
  element<float>(state.min) = average.min;
  element<float>(state.max) = average.max;
  element<int64_t>(state.batches) = average.batches;
  element<float>(state.scale) = grid.scale;
  element<int32_t>(state.zero_point) = grid.zero_point;
  for (const Tensor& each : {state.min, state.max, state.batches, state.scale, state.zero_point})
    each.unsafeGetTensorImpl()->bump_version();
}

/// The range of all pieces, which `run(begin, end, grid)` gives while it quantizes.
template <class Run>
kernels::MinMax range_in_mask_bytes(int64_t n, Run run) {
  std::mutex merging;
  kernels::MinMax range;
  any_in_mask_bytes(n, [&](int64_t begin, int64_t end) {
    const kernels::MinMax piece = run(begin, end);
    const std::lock_guard lock(merging);  // the order of merging does not matter
    range = kernels::merge(range, piece);
    return false;
  });
  return range;
}

/// Quantizes on the grid of before by `run(begin, end, grid)`, then moves the state. Returns whether it met a
/// NaN.
template <class Run>
bool quantize_and_move(const char* op, const Tensor& x, const MovingGrid& state, const MovingGridRule& rule,
                       bool relu_input, Run run) {
  kernels::MovingAverage average{element<float>(state.min), element<float>(state.max),
                                 element<int64_t>(state.batches)};
  kernels::AffineGrid grid{1.0f, 0, static_cast<int32_t>(rule.qmin), static_cast<int32_t>(rule.qmax)};
  if (average.batches == 0) {
    const auto [min, max, saw_nan] = min_max(x);
    const kernels::MinMax own{min.item<float>(), max.item<float>(), false};
    kernels::MovingAverage first;
    grid = next_grid(op, first, relu_input ? kernels::relu_of(own) : own, rule);
  } else {
    grid = checked_grids({op, "", state.scale, state.zero_point, rule.qmin, rule.qmax}, x).table.grid(0);
  }
  const kernels::MinMax range =
      range_in_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) { return run(begin, end, grid); });
  const kernels::AffineGrid next = next_grid(op, average, range, rule);
  if (range.min <= range.max) store(average, next, state);
  return range.saw_nan;
}

Quantized empty_codes(const Tensor& x) {
  return {at::empty_like(x, x.options().dtype(at::kChar), at::MemoryFormat::Contiguous), empty_clip_mask(x),
          at::empty({}, x.options().dtype(at::kBool))};
}

Quantized codes_meta(const Tensor& x, const Tensor& min, const Tensor& max, const Tensor& batches,
                     const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                     int64_t qmax, bool symmetric, bool /*relu_input*/) {
  check_observe_quantize("observe_quantize", x, {min, max, batches, scale, zero_point},
                         {averaging, qmin, qmax, symmetric});
  return empty_codes(x);
}

Quantized codes_cpu(const Tensor& x_any, const Tensor& min, const Tensor& max, const Tensor& batches,
                    const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                    int64_t qmax, bool symmetric, bool relu_input) {
  const MovingGrid state{min, max, batches, scale, zero_point};
  const MovingGridRule rule{averaging, qmin, qmax, symmetric};
  check_observe_quantize("observe_quantize", x_any, state, rule);
  const Tensor x = x_any.contiguous();
  auto [codes, clip_mask, saw_nan] = empty_codes(x);
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                   .type = float_type("observe_quantize", "x", x),
                                   .fold_relu = relu_input};
  saw_nan.fill_(quantize_and_move("observe_quantize", x, state, rule, relu_input,
                                  [&](int64_t begin, int64_t end, const kernels::AffineGrid& grid) {
                                    return kernels::observe_quantize_run(args, grid, begin, end);
                                  }));
  return {codes, clip_mask, saw_nan};
}

FakeQuantized reals_meta(const Tensor& x, const Tensor& min, const Tensor& max, const Tensor& batches,
                         const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                         int64_t qmax, bool symmetric) {
  check_observe_quantize("observe_fake_quantize", x, {min, max, batches, scale, zero_point},
                         {averaging, qmin, qmax, symmetric});
  return empty_fake_quantized(x);
}

FakeQuantized reals_cpu(const Tensor& x_any, const Tensor& min, const Tensor& max, const Tensor& batches,
                        const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                        int64_t qmax, bool symmetric) {
  const MovingGrid state{min, max, batches, scale, zero_point};
  const MovingGridRule rule{averaging, qmin, qmax, symmetric};
  check_observe_quantize("observe_fake_quantize", x_any, state, rule);
  const Tensor x = x_any.contiguous();
  auto [y, clip_mask, saw_nan] = empty_fake_quantized(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                                       clip_mask.mutable_data_ptr<uint8_t>(),
                                       float_type("observe_fake_quantize", "x", x)};
  saw_nan.fill_(quantize_and_move("observe_fake_quantize", x, state, rule, false,
                                  [&](int64_t begin, int64_t end, const kernels::AffineGrid& grid) {
                                    return kernels::observe_fake_quantize_run(args, grid, begin, end);
                                  }));
  return {y, clip_mask, saw_nan};
}

FakeQuantized reals_autograd(const Tensor& x, const Tensor& min, const Tensor& max, const Tensor& batches,
                             const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                             int64_t qmax, bool symmetric) {
  return straight_through(x, [&] {
    return observe_fake_quantize(x, {min, max, batches, scale, zero_point},
                                 {averaging, qmin, qmax, symmetric});
  });
}

}  // namespace

void check_observe_quantize(const char* op, const Tensor& x, const MovingGrid& state,
                            const MovingGridRule& rule) {
  float_type(op, "x", x);
  check_code_range(op, "qmin, qmax", rule.qmin, rule.qmax);
  check_state(op, "min", state.min, at::kFloat);
  check_state(op, "max", state.max, at::kFloat);
  check_state(op, "batches", state.batches, at::kLong);
  check_state(op, "scale", state.scale, at::kFloat);
  check_state(op, "zero_point", state.zero_point, at::kInt);
  TORCH_CHECK(0.0 < rule.averaging && rule.averaging <= 1.0, "[", op,
              "] averaging: expected a value above 0 and at most 1, got ", rule.averaging);
  TORCH_CHECK(!rule.symmetric || (rule.qmin < 0 && rule.qmax > 0), "[", op,
              "] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got ", rule.qmin, " and ",
              rule.qmax);
}

Quantized observe_quantize(const Tensor& x, const MovingGrid& state, const MovingGridRule& rule,
                           bool relu_input) {
  static const auto op = find_op<CodesSignature>("samebits::observe_quantize");
  return op.call(x, state.min, state.max, state.batches, state.scale, state.zero_point, rule.averaging,
                 rule.qmin, rule.qmax, rule.symmetric, relu_input);
}

FakeQuantized observe_fake_quantize(const Tensor& x, const MovingGrid& state, const MovingGridRule& rule) {
  static const auto op = find_op<RealsSignature>("samebits::observe_fake_quantize");
  return op.call(x, state.min, state.max, state.batches, state.scale, state.zero_point, rule.averaging,
                 rule.qmin, rule.qmax, rule.symmetric);
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("observe_quantize", codes_cpu);
  library.impl("observe_fake_quantize", reals_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("observe_quantize", codes_meta);
  library.impl("observe_fake_quantize", reals_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("observe_fake_quantize", reals_autograd);
}

}  // namespace samebits::ops
