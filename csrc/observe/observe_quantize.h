// torch operators samebits::observe_quantize and samebits::observe_fake_quantize: a batch is put on the grid
// of the batches before it and moves the next grid, in one pass.
#pragma once

#include <ATen/ATen.h>

#include "csrc/quantize/fake_quantize.h"
#include "csrc/quantize/quantize.h"

namespace samebits::ops {

/// The state of one activation, one element each, written in place: the moving averages of the batches'
/// ranges (float32 min and max), how many batches they hold (int64), and the grid that covers them (float32
/// scale, int32 zero_point). Fresh: batches 0, the others unread.
struct MovingGrid {
  at::Tensor min, max, batches, scale, zero_point;
};

/// How the next grid follows: kernels/observe/moving_average.h with `averaging` in (0, 1].
struct MovingGridRule {
  double averaging = 0.01;
  int64_t qmin = -128, qmax = 127;
  bool symmetric = false;
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

/// What shapes, dtypes and the rule tell of either call. Throws c10::Error.
void check_observe_quantize(const char* op, const at::Tensor& x, const MovingGrid& state,
                            const MovingGridRule& rule);

}  // namespace samebits::ops
