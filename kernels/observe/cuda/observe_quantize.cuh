// kernels/observe/observe_quantize.h and moving_average.h on CUDA: quantize and observe in one read of
// memory, then take the range into the average and make the next grid, all on the device, so that a training
// step reads nothing back.
#pragma once

#include "kernels/observe/cuda/observe_quantize.h"
#include "kernels/observe/cuda/ranges.cuh"
#include "kernels/observe/observe_quantize.h"
#include "kernels/quantize/cuda/quantize.cuh"

namespace samebits::kernels::cuda {

/// quantize, and partials[block] = the range of the block's elements. Launch with any number of blocks.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    observe_quantize(QuantizeArgs args, Grids grids, std::int64_t n, MinMax* partials) {
  MinMax range;
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_reals<Stored>(args.x, first, count, r);
    for (int i = 0; i < count; ++i) range = with_value(range, r[i]);
    const QuantizedQuad quad = quantize_quad(r, grids, first, count, args.fold_relu);
    store_codes(args.codes, first, count, quad.codes);
    if (args.clip_mask != nullptr) store_clip_bits(args.clip_mask, first, count, quad.clip_bits);
  });
  range = merge_block(range);
  if (threadIdx.x == 0) partials[blockIdx.x] = range;
}

/// The same with fake_quantize.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    observe_fake_quantize(FakeQuantizeArgs args, Grids grids, std::int64_t n, MinMax* partials) {
  MinMax range;
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_reals<Stored>(args.x, first, count, r);
    for (int i = 0; i < count; ++i) range = with_value(range, r[i]);
    const QuantizedQuad quad = quantize_quad(r, grids, first, count);
    store_reals<Stored>(args.y, first, count, quad.y);
    store_clip_bits(args.clip_mask, first, count, quad.clip_bits);
  });
  range = merge_block(range);
  if (threadIdx.x == 0) partials[blockIdx.x] = range;
}

/// *range = the range of all partials, or of their max(x, 0). Launch one block.
__global__ void __launch_bounds__(kThreads)
    merge_ranges(const MinMax* partials, std::int64_t count, bool fold_relu, MinMax* range) {
  MinMax own;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) own = merge(own, partials[i]);
  own = merge_block(own);
  if (threadIdx.x == 0) *range = fold_relu ? relu_of(own) : own;
}

/// move_grid of moving_average.h on the device. `own_scale` and `own_zero_point`, or null, get the grid in
/// force for this batch: that of before, or of itself where it is the first. Launch one block; one thread
/// works.
__global__ void __launch_bounds__(kThreads) take_range(MoveGridArgs args) {
  if (threadIdx.x != 0) return;
  const GridState& state = args.state;
  const bool is_first = *state.batches == 0;
  float scale = *state.scale;
  std::int32_t zero_point = *state.zero_point;
  if (!move_grid(state, args.range[0], args.range[1], args.rule)) *args.is_out_of_range = 1;
  if (args.own_scale == nullptr) return;
  if (is_first) {
    scale = *state.scale;
    zero_point = *state.zero_point;
  }
  *args.own_scale = scale;
  *args.own_zero_point = zero_point;
}

}  // namespace samebits::kernels::cuda
