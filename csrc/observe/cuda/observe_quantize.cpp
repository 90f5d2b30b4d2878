// samebits::observe_quantize, observe_fake_quantize and move_grid on CUDA. Whether a batch is the first is
// known to the device alone, so every batch is quantized twice: on the grid of before, while its range is
// taken, then on the grid that is in force. Nothing waits.
#include "csrc/observe/observe_quantize.h"

#include <torch/library.h>

#include <cstddef>

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

void check_state_device(const char* op, const MovingGrid& state, const Tensor& x) {
  check_device(op, "", "min", state.min, x);
  check_device(op, "", "max", state.max, x);
  check_device(op, "", "batches", state.batches, x);
  check_device(op, "", "scale", state.scale, x);
  check_device(op, "", "zero_point", state.zero_point, x);
}

/// Room for the range of a batch, and for the partial ranges that it is merged from.
struct RangeRoom {
  Tensor range, partials;

  explicit RangeRoom(const Tensor& x) {
    static_assert(offsetof(MinMax, min) == 0 && offsetof(MinMax, max) == sizeof(float));
    constexpr auto kSize = static_cast<int64_t>(sizeof(MinMax));
    const auto bytes = x.options().dtype(at::kByte);
    range = at::empty({kSize}, bytes);
    partials = at::empty({kernels::cuda::kObservePartials * kSize}, bytes);
  }
  MinMax* range_data() const { return static_cast<MinMax*>(range.mutable_data_ptr()); }
  MinMax* partials_data() const { return static_cast<MinMax*>(partials.mutable_data_ptr()); }
};

/// Runs `observe(table, room)` on the grid of before, moves the state, then runs `again(table, saw_nan)` on
/// the grid that is in force. Returns the flag: a NaN, or a range that no average takes.
template <class Call, class Observe, class Again>
Tensor quantize_and_move(const Call& call, const Tensor& x, const Observe& observe, const Again& again) {
  check_state_device(Call::kOp, call.state, x);
  const MovingGridRule& rule = call.rule;
  const RangeRoom room(x);
  const DeviceGridTable before({Call::kOp, "", call.state.scale, call.state.zero_point, rule.qmin, rule.qmax},
                               x);
  check_launch(Call::kOp, observe(before.table, room));
  const Tensor scale = at::empty_like(before.scale), zero_point = at::empty_like(before.zero_point);
  const Tensor is_out_of_range = lowered_flag(x), saw_nan = lowered_flag(x);
  check_launch(Call::kOp,
               kernels::cuda::launch_move_grid({.range = &room.range_data()->min,
                                                .rule = plain(rule),
                                                .state = plain(call.state),
                                                .own_scale = scale.mutable_data_ptr<float>(),
                                                .own_zero_point = zero_point.mutable_data_ptr<int32_t>(),
                                                .is_out_of_range = is_out_of_range.mutable_data_ptr<int>()},
                                               current_stream()));
  const DeviceGridTable own({Call::kOp, "", scale, zero_point, rule.qmin, rule.qmax}, x);
  check_launch(Call::kOp, again(own.table, saw_nan.mutable_data_ptr<int>()));
  bump_versions(call.state);
  return at::logical_or(saw_nan, is_out_of_range);
}

Quantized codes_cuda(const ObserveQuantizeCall& call) {
  check_observe_quantize(call.kOp, call.x, call.state, call.rule);
  const c10::cuda::CUDAGuard guard(call.x.device());
  const Tensor x = call.x.contiguous();
  const Tensor codes = at::empty_like(x, x.options().dtype(at::kChar)), clip_mask = empty_clip_mask(x);
  const kernels::QuantizeArgs args{.x = x.const_data_ptr(),
                                   .codes = codes.mutable_data_ptr<int8_t>(),
                                   .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                   .type = float_type(call.kOp, "x", x),
                                   .fold_relu = call.relu_input};
  const Tensor saw_nan = quantize_and_move(
      call, x,
      [&](const kernels::GridTable& table, const RangeRoom& room) {
        return kernels::cuda::launch_observe_quantize(args, table, x.numel(), room.partials_data(),
                                                      room.range_data(), current_stream());
      },
      [&](const kernels::GridTable& table, int* flag) {
        return kernels::cuda::launch_quantize(args, table, x.numel(), flag, current_stream());
      });
  return {codes, clip_mask, saw_nan};
}

FakeQuantized reals_cuda(const ObserveFakeQuantizeCall& call) {
  check_observe_quantize(call.kOp, call.x, call.state, call.rule);
  const c10::cuda::CUDAGuard guard(call.x.device());
  const Tensor x = call.x.contiguous(), y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                                       clip_mask.mutable_data_ptr<uint8_t>(), float_type(call.kOp, "x", x)};
  const Tensor saw_nan = quantize_and_move(
      call, x,
      [&](const kernels::GridTable& table, const RangeRoom& room) {
        return kernels::cuda::launch_observe_fake_quantize(args, table, x.numel(), room.partials_data(),
                                                           room.range_data(), current_stream());
      },
      [&](const kernels::GridTable& table, int* flag) {
        return kernels::cuda::launch_fake_quantize(args, table, x.numel(), flag, current_stream());
      });
  return {y, clip_mask, saw_nan};
}

Tensor move_grid_cuda(const MoveGridCall& call) {
  check_move_grid(call);
  check_state_device(call.kOp, call.state, call.range);
  const c10::cuda::CUDAGuard guard(call.range.device());
  const Tensor range = call.range.contiguous(), is_out_of_range = lowered_flag(range);
  check_launch(call.kOp,
               kernels::cuda::launch_move_grid({.range = range.const_data_ptr<float>(),
                                                .rule = plain(call.rule),
                                                .state = plain(call.state),
                                                .is_out_of_range = is_out_of_range.mutable_data_ptr<int>()},
                                               current_stream()));
  bump_versions(call.state);
  return is_out_of_range.to(at::kBool);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("observe_quantize", unpacked<codes_cuda>);
  library.impl("observe_fake_quantize", unpacked<reals_cuda>);
  library.impl("move_grid", unpacked<move_grid_cuda>);
}

}  // namespace samebits::ops
