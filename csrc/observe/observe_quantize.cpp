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
  library.def(
      "move_grid(Tensor range, Tensor(a!) min, Tensor(b!) max, Tensor(c!) batches, Tensor(d!) scale,"
      " Tensor(e!) zero_point, float averaging, int qmin, int qmax, bool symmetric=False,"
      " bool keep_extremes=False) -> Tensor is_out_of_range");
}

namespace {

void check_state(const char* op, const char* name, const Tensor& tensor, at::ScalarType type) {
  check_dtype(op, name, tensor, type);
  TORCH_CHECK(tensor.numel() == 1, "[", op, "] ", name, ": expected 1 element, got ", tensor.numel());
  TORCH_CHECK(!tensor.requires_grad(), "[", op, "] ", name,
              ": expected a buffer, got a tensor that requires grad; it is written in place");
}

void check_states(const char* op, const MovingGrid& state, const MovingGridRule& rule) {
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

/// Takes a range into the state, or refuses it.
void move(const char* op, const kernels::MinMax& range, const kernels::GridState& state,
          const MovingGridRule& rule) {
  TORCH_CHECK(kernels::move_grid(state, range.min, range.max, plain(rule)), "[", op,
              "] x: expected values within ±", kernels::kLargestEnd, ", got ", range.min, " to ", range.max,
              "; look at the batch and the learning rate");
}

/// The grid of a batch that has none before it: of its own range.
kernels::AffineGrid own_grid(const char* op, const Tensor& x, const MovingGridRule& rule, bool relu_input) {
  const auto [min, max, saw_nan] = min_max(x);
  const kernels::MinMax values{*min.const_data_ptr<float>(), *max.const_data_ptr<float>(), false};
  const kernels::MinMax range = relu_input ? kernels::relu_of(values) : values;
  float ends[2] = {0.0f, 0.0f};
  int64_t batches = 0;
  kernels::AffineGrid grid{1.0f, 0, static_cast<int32_t>(rule.qmin), static_cast<int32_t>(rule.qmax)};
  move(op, range, {&ends[0], &ends[1], &batches, &grid.scale, &grid.zero_point}, rule);
  return grid;
}

/// Quantizes on the grid of before by `run(begin, end, grid)`, then moves the state. Returns whether it met a
/// NaN.
template <class Call, class Run>
bool quantize_and_move(const Call& call, const Tensor& x, bool relu_input, const Run& run) {
  const kernels::GridState state = plain(call.state);
  const kernels::AffineGrid grid =
      *state.batches == 0
          ? own_grid(Call::kOp, x, call.rule, relu_input)
          : checked_grids(
                {Call::kOp, "", call.state.scale, call.state.zero_point, call.rule.qmin, call.rule.qmax}, x)
                .table.grid(0);
  std::mutex merging;
  kernels::MinMax range;
  for_each_mask_bytes(x.numel(), [&](int64_t begin, int64_t end) {
    const kernels::MinMax piece = run(begin, end, grid);
    const std::lock_guard lock(merging);  // the order of merging does not matter
    range = kernels::merge(range, piece);
  });
  move(Call::kOp, range, state, call.rule);
  if (range.min <= range.max) bump_versions(call.state);
  return range.saw_nan;
}

Quantized codes_meta(const ObserveQuantizeCall& call) {
  check_observe_quantize(call.kOp, call.x, call.state, call.rule);
  return {at::empty_like(call.x, call.x.options().dtype(at::kChar), at::MemoryFormat::Contiguous),
          empty_clip_mask(call.x), at::empty({}, call.x.options().dtype(at::kBool))};
}

Quantized codes_cpu(const ObserveQuantizeCall& call) {
  auto [codes, clip_mask, saw_nan] = codes_meta(call);
  const Tensor x = call.x.contiguous();
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                   .type = float_type(call.kOp, "x", x),
                                   .fold_relu = call.relu_input};
  saw_nan.fill_(quantize_and_move(call, x, call.relu_input,
                                  [&](int64_t begin, int64_t end, const kernels::AffineGrid& grid) {
                                    return kernels::observe_quantize_run(args, grid, begin, end);
                                  }));
  return {codes, clip_mask, saw_nan};
}

FakeQuantized reals_meta(const ObserveFakeQuantizeCall& call) {
  check_observe_quantize(call.kOp, call.x, call.state, call.rule);
  return empty_fake_quantized(call.x);
}

FakeQuantized reals_cpu(const ObserveFakeQuantizeCall& call) {
  auto [y, clip_mask, saw_nan] = reals_meta(call);
  const Tensor x = call.x.contiguous();
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                                       clip_mask.mutable_data_ptr<uint8_t>(), float_type(call.kOp, "x", x)};
  saw_nan.fill_(
      quantize_and_move(call, x, false, [&](int64_t begin, int64_t end, const kernels::AffineGrid& grid) {
        return kernels::observe_fake_quantize_run(args, grid, begin, end);
      }));
  return {y, clip_mask, saw_nan};
}

FakeQuantized reals_autograd(const ObserveFakeQuantizeCall& call) {
  return straight_through(call.x, [&] { return call_operator(call); });
}

Tensor move_meta(const MoveGridCall& call) {
  check_move_grid(call);
  return at::empty({}, call.range.options().dtype(at::kBool));
}

Tensor move_cpu(const MoveGridCall& call) {
  check_move_grid(call);
  const Tensor range = call.range.contiguous();
  const float* ends = range.const_data_ptr<float>();
  const bool is_moved = kernels::move_grid(plain(call.state), ends[0], ends[1], plain(call.rule));
  if (is_moved && ends[0] <= ends[1]) bump_versions(call.state);
  return at::full({}, !is_moved, call.range.options().dtype(at::kBool));
}

}  // namespace

kernels::GridRule plain(const MovingGridRule& rule) {
  return {static_cast<float>(rule.averaging), static_cast<int32_t>(rule.qmin),
          static_cast<int32_t>(rule.qmax), rule.symmetric, rule.keep_extremes};
}

kernels::GridState plain(const MovingGrid& state) {
  return {state.min.mutable_data_ptr<float>(), state.max.mutable_data_ptr<float>(),
          state.batches.mutable_data_ptr<int64_t>(), state.scale.mutable_data_ptr<float>(),
          state.zero_point.mutable_data_ptr<int32_t>()};
}

void bump_versions(const MovingGrid& state) {
  for (const Tensor* each : {&state.min, &state.max, &state.batches, &state.scale, &state.zero_point})
    if (!each->is_inference()) each->unsafeGetTensorImpl()->bump_version();
}

void check_observe_quantize(const char* op, const Tensor& x, const MovingGrid& state,
                            const MovingGridRule& rule) {
  float_type(op, "x", x);
  check_states(op, state, rule);
}

void check_move_grid(const MoveGridCall& call) {
  check_dtype(call.kOp, "range", call.range, at::kFloat);
  TORCH_CHECK(call.range.numel() == 2, "[move_grid] range: expected 2 elements, min and max, got ",
              call.range.numel());
  check_states(call.kOp, call.state, call.rule);
}

Quantized observe_quantize(const Tensor& x, const MovingGrid& state, const MovingGridRule& rule,
                           bool relu_input) {
  return call_operator(ObserveQuantizeCall{x, state, rule, relu_input});
}

FakeQuantized observe_fake_quantize(const Tensor& x, const MovingGrid& state, const MovingGridRule& rule) {
  return call_operator(ObserveFakeQuantizeCall{x, state, rule});
}

Tensor move_grid(const Tensor& range, const MovingGrid& state, const MovingGridRule& rule) {
  return call_operator(MoveGridCall{range, state, rule});
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("observe_quantize", unpacked<codes_cpu>);
  library.impl("observe_fake_quantize", unpacked<reals_cpu>);
  library.impl("move_grid", unpacked<move_cpu>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("observe_quantize", unpacked<codes_meta>);
  library.impl("observe_fake_quantize", unpacked<reals_meta>);
  library.impl("move_grid", unpacked<move_meta>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("observe_fake_quantize", unpacked<reals_autograd>);
}

}  // namespace samebits::ops
