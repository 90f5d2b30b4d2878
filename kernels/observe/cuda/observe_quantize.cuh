// kernels/observe/observe_quantize.h and moving_average.h on CUDA: quantize and observe in one read of
// memory, then take the range into the average and make the next grid, all on the device, so that a training
// step reads nothing back.
#pragma once

#include <limits>

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

/// The same on one grid.
template <class Stored, bool kFoldRelu>
__global__ void __launch_bounds__(kThreads)
    observe_quantize_one_grid(QuantizeArgs args, GridArrays arrays, std::int64_t n, MinMax* partials) {
  const OctetGrid grid(arrays.grid(0));
  float least = std::numeric_limits<float>::infinity(), greatest = -least;
  bool saw_nan = false;
  const auto see = [&](float value) {
    least = fminf(least, value);  // which leaves NaNs out
    greatest = fmaxf(greatest, value);
    saw_nan |= isnan(value) != 0;
  };
  for_each_octet(n, [&](std::int64_t first, int count) {
    float r[8];
    load_octet<Stored>(args.x, first, count, r);
    if (count == 8) {
#pragma unroll
      for (int i = 0; i < 8; ++i) see(r[i]);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (i < count) see(r[i]);
    }
    const Octet octet = quantize_octet<kFoldRelu>(r, grid);
    store_octet(args.codes + first, count, octet, grid.zero_point);
    if (args.clip_mask != nullptr) args.clip_mask[first / 8] = clip_byte(octet, count);
  });
  const MinMax range = merge_block({least + 0.0f, greatest + 0.0f, saw_nan});  // -0 becomes +0
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

/// The range of out.partials[0, count), or of their max(x, 0). Launch one block.
__global__ void __launch_bounds__(kThreads)
    merge_ranges(RangeOutputs out, std::int64_t count, bool fold_relu) {
  MinMax own;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) own = merge(own, out.partials[i]);
  own = merge_block(own);
  if (threadIdx.x != 0) return;
  if (fold_relu) own = relu_of(own);
  out.range[0] = own.min;
  out.range[1] = own.max;
  *out.saw_nan = own.saw_nan || (out.raised != nullptr && *out.raised != 0);
}

/// move_grid of moving_average.h on the device. Launch one block; one thread works.
__global__ void __launch_bounds__(kThreads) take_range(MoveGridArgs args) {
  if (threadIdx.x != 0) return;
  const GridState& state = args.state;
  const bool is_first = *state.batches == 0;
  BatchGrid own{.is_first = is_first};
  if (!is_first) own = {*state.scale, *state.zero_point, 0};
  const bool is_taken = move_grid(state, args.range[0], args.range[1], args.rule);
  *args.is_out_of_range = !is_taken || (args.raised != nullptr && *args.raised != 0);
  if (args.own == nullptr) return;
  if (is_first) {
    own.scale = *state.scale;
    own.zero_point = *state.zero_point;
  }
  *args.own = own;
}

}  // namespace samebits::kernels::cuda
