// torch operators samebits::observe_quantize and samebits::observe_fake_quantize: a batch is put on the grid
// of the batches before it and moves the next grid, in one pass; and samebits::move_grid, the second half
// alone.
#pragma once

#include <ATen/ATen.h>

#include "csrc/common/call.h"
#include "csrc/quantize/fake_quantize.h"
#include "csrc/quantize/quantize.h"
#include "kernels/observe/moving_average.h"

namespace samebits::ops {

/// The state of one activation, one element each, written in place: the moving averages of the batches'
/// ranges (float32 min and max), how many batches they hold (int64), and the grid that covers them (float32
/// scale, int32 zero_point). Fresh: batches 0, the others unread.
struct MovingGrid {
  at::Tensor min, max, batches, scale, zero_point;
  auto fields() { return std::tie(min, max, batches, scale, zero_point); }
};

/// How the next grid follows: kernels/observe/moving_average.h with `averaging` in (0, 1].
struct MovingGridRule {
  double averaging = 0.01;
  int64_t qmin = -128, qmax = 127;
  bool symmetric = false;
  bool keep_extremes = false;  // move_grid alone: the range of all batches instead of an average
  auto fields() { return std::tie(averaging, qmin, qmax, symmetric); }
};
kernels::GridRule plain(const MovingGridRule& rule);
/// The state's elements, where they are.
kernels::GridState plain(const MovingGrid& state);
/// Tells autograd and others that the state was written to.
void bump_versions(const MovingGrid& state);

struct ObserveQuantizeCall {
  static constexpr const char *kOp = "observe_quantize", *kName = "samebits::observe_quantize",
                              *kOverload = "";
  using Result = Quantized;
  at::Tensor x;
  MovingGrid state;
  MovingGridRule rule;
  bool relu_input = false;
  auto fields() { return std::tuple_cat(std::tie(x), state.fields(), rule.fields(), std::tie(relu_input)); }
};
struct ObserveFakeQuantizeCall {
  static constexpr const char *kOp = "observe_fake_quantize", *kName = "samebits::observe_fake_quantize",
                              *kOverload = "";
  using Result = FakeQuantized;
  at::Tensor x;
  MovingGrid state;
  MovingGridRule rule;
  auto fields() { return std::tuple_cat(std::tie(x), state.fields(), rule.fields()); }
};
struct MoveGridCall {
  static constexpr const char *kOp = "move_grid", *kName = "samebits::move_grid", *kOverload = "";
  using Result = at::Tensor;
  at::Tensor range;  // float32 {min, max}, as linear returns it
  MovingGrid state;
  MovingGridRule rule;
  auto fields() {
    return std::tuple_cat(std::tie(range), state.fields(), rule.fields(), std::tie(rule.keep_extremes));
  }
};

/// quantize on `state`'s grid; then the range of x moves the state. The first batch, which has none before
/// it, is put on the grid of its own range, in two passes. With relu_input: of max(x, 0), the mask stopping
/// what the relu stops. NaNs are left out of the range and raise the flag; no element, no change. Throws
/// c10::Error, and leaves the state as it was, on an infinity in x; on CUDA, where nothing waits, that raises
/// the flag instead.
Quantized observe_quantize(const at::Tensor& x, const MovingGrid& state, const MovingGridRule& rule,
                           bool relu_input = false);

/// The same with fake_quantize and its straight-through gradient.
FakeQuantized observe_fake_quantize(const at::Tensor& x, const MovingGrid& state, const MovingGridRule& rule);

/// Takes the range of a batch into `state`, on the device, without a look at it: an empty one (min > max)
/// changes nothing. Returns a bool of no dimensions: whether an end is infinite or beyond kLargestEnd; then
/// nothing is changed.
at::Tensor move_grid(const at::Tensor& range, const MovingGrid& state, const MovingGridRule& rule);

/// What shapes, dtypes and the rule tell of a call on x. Throws c10::Error.
void check_observe_quantize(const char* op, const at::Tensor& x, const MovingGrid& state,
                            const MovingGridRule& rule);
void check_move_grid(const MoveGridCall& call);

}  // namespace samebits::ops
