// samebits::observe_quantize, observe_fake_quantize and move_grid on CUDA. Whether a batch is the first is
// known to the device alone: every batch is quantized on the grid of before, while its range is taken, and a
// second pass, on the grid of its own, does nothing unless it is the first. Nothing waits.
#include "csrc/observe/observe_quantize.h"

#include <torch/library.h>

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

/// Room for what one call knows of its batch.
struct Room {
  struct Batch {
    float range[2];
    kernels::cuda::BatchGrid own;
  };
  Tensor bytes;

  explicit Room(const Tensor& x)
      : bytes(at::empty({kernels::cuda::kObservePartials * static_cast<int64_t>(sizeof(MinMax)) +
                         static_cast<int64_t>(sizeof(Batch))},
                        x.options().dtype(at::kByte))) {}
  MinMax* partials() const { return static_cast<MinMax*>(bytes.mutable_data_ptr()); }
  Batch* batch() const { return reinterpret_cast<Batch*>(partials() + kernels::cuda::kObservePartials); }
};

/// Runs `observe(table, outputs)` on the grid of before, moves the state, then `again(table, only_if)` for a
/// batch that is the first. Returns the flag: a NaN, or a range that no average takes.
template <class Call, class Observe, class Again>
Tensor quantize_and_move(const Call& call, const Tensor& x, const Observe& observe, const Again& again) {
  check_state_device(Call::kOp, call.state, x);
  const MovingGridRule& rule = call.rule;
  const Room room(x);
  const DeviceGridTable before({Call::kOp, "", call.state.scale, call.state.zero_point, rule.qmin, rule.qmax},
                               x);
  const Tensor flag = at::empty({}, x.options().dtype(at::kBool));
  auto* const flag_data = static_cast<uint8_t*>(flag.mutable_data_ptr());
  Room::Batch* const batch = room.batch();  // of the device: addresses are taken, nothing is read
  check_launch(Call::kOp,
               observe(before.table, kernels::cuda::RangeOutputs{room.partials(), batch->range, flag_data}));
  check_launch(Call::kOp, kernels::cuda::launch_move_grid({.range = batch->range,
                                                           .rule = plain(rule),
                                                           .state = plain(call.state),
                                                           .own = &batch->own,
                                                           .is_out_of_range = flag_data,
                                                           .raised = flag_data},
                                                          current_stream()));
  kernels::GridTable own = before.table;
  own.scale = &batch->own.scale;
  own.zero_point = &batch->own.zero_point;
  check_launch(Call::kOp, again(own, &batch->own.is_first));
  bump_versions(call.state);
  return flag;
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
      [&](const kernels::GridTable& table, const kernels::cuda::RangeOutputs& out) {
        return kernels::cuda::launch_observe_quantize(args, table, x.numel(), out, current_stream());
      },
      [&](const kernels::GridTable& table, const uint8_t* only_if) {
        return kernels::cuda::launch_quantize(args, table, x.numel(), nullptr, current_stream(), only_if);
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
      [&](const kernels::GridTable& table, const kernels::cuda::RangeOutputs& out) {
        return kernels::cuda::launch_observe_fake_quantize(args, table, x.numel(), out, current_stream());
      },
      [&](const kernels::GridTable& table, const uint8_t* only_if) {
        return kernels::cuda::launch_fake_quantize(args, table, x.numel(), nullptr, current_stream(),
                                                   only_if);
      });
  return {y, clip_mask, saw_nan};
}

Tensor move_grid_cuda(const MoveGridCall& call) {
  check_move_grid(call);
  check_state_device(call.kOp, call.state, call.range);
  const c10::cuda::CUDAGuard guard(call.range.device());
  const Tensor range = call.range.contiguous(),
               is_out_of_range = at::empty({}, range.options().dtype(at::kBool));
  check_launch(call.kOp, kernels::cuda::launch_move_grid(
                             {.range = range.const_data_ptr<float>(),
                              .rule = plain(call.rule),
                              .state = plain(call.state),
                              .is_out_of_range = static_cast<uint8_t*>(is_out_of_range.mutable_data_ptr())},
                             current_stream()));
  bump_versions(call.state);
  return is_out_of_range;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("observe_quantize", unpacked<codes_cuda>);
  library.impl("observe_fake_quantize", unpacked<reals_cuda>);
  library.impl("move_grid", unpacked<move_grid_cuda>);
}

}  // namespace samebits::ops
