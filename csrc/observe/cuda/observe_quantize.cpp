// samebits::observe_quantize and observe_fake_quantize on CUDA. Whether a batch is the first is known to the
// device alone, so every batch is quantized twice: on the grid of before, while its range is taken, then on
// the grid that is in force. Nothing waits.
#include "csrc/observe/observe_quantize.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <cstddef>
#include <limits>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/observe/cuda/observe_quantize.h"
#include "kernels/quantize/cuda/fake_quantize.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using kernels::MinMax;
using kernels::MovingAverage;

void check_state_device(const char* op, const MovingGrid& state, const Tensor& x) {
  check_device(op, "", "min", state.min, x);
  check_device(op, "", "max", state.max, x);
  check_device(op, "", "batches", state.batches, x);
}

/// Room for the range of a batch, and for the partial ranges that it is merged from.
struct RangeRoom {
  Tensor range, partials;

  explicit RangeRoom(const Tensor& x) {
    constexpr auto kSize = static_cast<int64_t>(sizeof(MinMax));
    const auto bytes = x.options().dtype(at::kByte);
    range = at::empty({kSize}, bytes);
    partials = at::empty({kernels::cuda::kObservePartials * kSize}, bytes);
  }
  MinMax* range_data() const { return static_cast<MinMax*>(range.mutable_data_ptr()); }
  MinMax* partials_data() const { return static_cast<MinMax*>(partials.mutable_data_ptr()); }
};

/// The bytes of a kernels::MovingAverage.
Tensor average_of(const MovingGrid& state, const Tensor& is_first) {
  static_assert(sizeof(MovingAverage) == 16 && offsetof(MovingAverage, max) == 4 &&
                offsetof(MovingAverage, batches) == 8);
  const auto bytes = [](const Tensor& value) { return value.reshape({1}).view(at::kByte); };
  return at::cat({bytes(state.min.reshape({}).masked_fill(is_first, 0.0)),
                  bytes(state.max.reshape({}).masked_fill(is_first, 0.0)), bytes(state.batches)});
}

/// What a batch's range makes of the state. All tensors without dimensions, but `average` (bytes).
struct NextGrid {
  Tensor is_usable;                  // the range is within the bounds that averages have, or empty
  Tensor has_moved;                  // and not empty
  Tensor average;                    // where it has moved
  Tensor scale, zero_point;          // the grid that covers it
  Tensor own_scale, own_zero_point;  // the grid that is in force for this batch
};

NextGrid next_grid(const char* op, const MovingGrid& state, const MovingGridRule& rule,
                   const RangeRoom& room) {
  constexpr double kLargest = std::numeric_limits<float>::max() / 4;
  const Tensor ends = room.range.narrow(0, 0, 2 * sizeof(float)).view(at::kFloat);
  const Tensor min = ends.select(0, 0), max = ends.select(0, 1);
  const Tensor is_first = state.batches.reshape({}).eq(0);
  NextGrid next;
  next.is_usable = at::logical_and(min.ge(-kLargest), max.le(kLargest));
  next.has_moved = at::logical_and(next.is_usable, min.le(max));
  next.average = average_of(state, is_first);
  const Tensor old_scale = state.scale.reshape({}), old_zero_point = state.zero_point.reshape({});
  next.scale = at::empty_like(old_scale);
  next.zero_point = at::empty_like(old_zero_point);
  const Tensor saw_infinity = lowered_flag(old_scale);
  check_launch(op, kernels::cuda::launch_moving_average(
                       room.range_data(), static_cast<float>(rule.averaging), static_cast<int32_t>(rule.qmin),
                       static_cast<int32_t>(rule.qmax), rule.symmetric,
                       static_cast<MovingAverage*>(next.average.mutable_data_ptr()),
                       next.scale.mutable_data_ptr<float>(), next.zero_point.mutable_data_ptr<int32_t>(),
                       saw_infinity.mutable_data_ptr<int>(), current_stream()));
  const Tensor takes_own = at::logical_and(is_first, next.is_usable);
  next.own_scale = at::where(takes_own, next.scale, old_scale);
  next.own_zero_point = at::where(takes_own, next.zero_point, old_zero_point);
  return next;
}

/// Writes the state in place where the batch has moved it.
void store(const NextGrid& next, const MovingGrid& state) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const auto move = [&](const Tensor& old, const Tensor& value) {
    old.copy_(at::where(next.has_moved, value.reshape({}), old.reshape({})).reshape(old.sizes()));
    old.unsafeGetTensorImpl()->bump_version();
  };
  const Tensor ends = next.average.narrow(0, 0, 8).view(at::kFloat);
  move(state.min, ends.select(0, 0));
  move(state.max, ends.select(0, 1));
  move(state.batches, next.average.narrow(0, 8, 8).view(at::kLong));
  move(state.scale, next.scale);
  move(state.zero_point, next.zero_point);
}

/// Runs `observe(table, room)`, then `again(table, saw_nan)` on the grid that is in force, and moves the
/// state. Returns the flag: a NaN, or a range that no average takes.
template <class Observe, class Again>
Tensor quantize_and_move(const char* op, const Tensor& x, const MovingGrid& state, const MovingGridRule& rule,
                         Observe observe, Again again) {
  check_state_device(op, state, x);
  const RangeRoom room(x);
  const DeviceGridTable before({op, "", state.scale, state.zero_point, rule.qmin, rule.qmax}, x);
  check_launch(op, observe(before.table, room));
  const NextGrid next = next_grid(op, state, rule, room);
  const DeviceGridTable own({op, "", next.own_scale, next.own_zero_point, rule.qmin, rule.qmax}, x);
  const Tensor saw_nan = lowered_flag(x);
  check_launch(op, again(own.table, saw_nan.mutable_data_ptr<int>()));
  store(next, state);
  return at::logical_or(saw_nan, at::logical_not(next.is_usable));
}

Quantized codes_cuda(const Tensor& x_any, const Tensor& min, const Tensor& max, const Tensor& batches,
                     const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                     int64_t qmax, bool symmetric, bool relu_input) {
  constexpr char kOp[] = "observe_quantize";
  const MovingGrid state{min, max, batches, scale, zero_point};
  const MovingGridRule rule{averaging, qmin, qmax, symmetric};
  check_observe_quantize(kOp, x_any, state, rule);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const Tensor codes = at::empty_like(x, x.options().dtype(at::kChar)), clip_mask = empty_clip_mask(x);
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                   .type = float_type(kOp, "x", x),
                                   .fold_relu = relu_input};
  const Tensor saw_nan = quantize_and_move(
      kOp, x, state, rule,
      [&](const kernels::GridTable& table, const RangeRoom& room) {
        return kernels::cuda::launch_observe_quantize(args, table, x.numel(), room.partials_data(),
                                                      room.range_data(), current_stream());
      },
      [&](const kernels::GridTable& table, int* flag) {
        return kernels::cuda::launch_quantize(args, table, x.numel(), flag, current_stream());
      });
  return {codes, clip_mask, saw_nan};
}

FakeQuantized reals_cuda(const Tensor& x_any, const Tensor& min, const Tensor& max, const Tensor& batches,
                         const Tensor& scale, const Tensor& zero_point, double averaging, int64_t qmin,
                         int64_t qmax, bool symmetric) {
  constexpr char kOp[] = "observe_fake_quantize";
  const MovingGrid state{min, max, batches, scale, zero_point};
  const MovingGridRule rule{averaging, qmin, qmax, symmetric};
  check_observe_quantize(kOp, x_any, state, rule);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                                       clip_mask.mutable_data_ptr<uint8_t>(), float_type(kOp, "x", x)};
  const Tensor saw_nan = quantize_and_move(
      kOp, x, state, rule,
      [&](const kernels::GridTable& table, const RangeRoom& room) {
        return kernels::cuda::launch_observe_fake_quantize(args, table, x.numel(), room.partials_data(),
                                                           room.range_data(), current_stream());
      },
      [&](const kernels::GridTable& table, int* flag) {
        return kernels::cuda::launch_fake_quantize(args, table, x.numel(), flag, current_stream());
      });
  return {y, clip_mask, saw_nan};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("observe_quantize", codes_cuda);
  library.impl("observe_fake_quantize", reals_cuda);
}

}  // namespace samebits::ops
