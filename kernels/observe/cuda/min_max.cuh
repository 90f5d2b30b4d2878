// kernels/observe/min_max.h on CUDA: many ranges in two passes. First a warp takes a chunk of a segment, then
// a warp a segment's chunks; lanes and chunks meet in a fixed order. No float atomics, and no barrier: warps
// work alone.
#pragma once

#include "kernels/common/cuda/segments.h"
#include "kernels/observe/cuda/ranges.cuh"

namespace samebits::kernels::cuda {

/// The range of x[begin, end), the lanes of a warp together.
__device__ inline MinMax warp_min_max(const float* x, std::int64_t begin, std::int64_t end) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  MinMax range;
  for (std::int64_t first = begin + 4 * lane; first < end; first += 128) {
    const int count = end - first < 4 ? static_cast<int>(end - first) : 4;
    float r[4];
    load_quad(x + first, count, r);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (i < count) range = with_value(range, r[i]);
  }
  return merge_lanes(range);
}

/// partials[segment][chunk] of the segments of x. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    min_max_chunks(const float* x, Segments segments, MinMax* partials) {
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * (blockDim.x / 32);
  std::int64_t item = static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  for (; item < segments.chunks(); item += warps) {
    const MinMax range = warp_min_max(x, segments.chunk_begin(item), segments.chunk_end(item));
    if (threadIdx.x % 32 == 0) partials[item] = range;
  }
}

/// min and max of each segment from its partials. `saw_nan` is set by the first NaN and never cleared. Launch
/// with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    min_max_segments(const MinMax* partials, Segments segments, float* min, float* max, int* saw_nan) {
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * (blockDim.x / 32);
  std::int64_t segment = static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  for (; segment < segments.count(); segment += warps) {
    MinMax range;
    for (std::int64_t i = threadIdx.x % 32; i < segments.chunks_per_segment; i += 32)
      range = merge(range, partials[segment * segments.chunks_per_segment + i]);
    range = merge_lanes(range);
    if (threadIdx.x % 32 != 0) continue;
    min[segment] = range.min;
    max[segment] = range.max;
    if (range.saw_nan) atomicOr(saw_nan, 1);
  }
}

}  // namespace samebits::kernels::cuda
