// kernels/observe/min_max.h on the device, below the kernels that need a range: of values, lanes and blocks.
// min and max do not depend on order, so the threads of a launch may share elements as they like.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/observe/min_max.h"

namespace samebits::kernels::cuda {

/// `range` with one more value in it.
__device__ inline MinMax with_value(const MinMax& range, float value) {
  if (isnan(value)) return {range.min, range.max, true};
  const float number = value + 0.0f;  // -0 becomes +0
  return merge(range, {number, number, false});
}

/// The range of what `lanes` neighbouring lanes of a warp (a power of two) hold, for all of them. For all
/// lanes of the warp together.
__device__ inline MinMax merge_lanes(MinMax range, int lanes = 32) {
  for (int apart = lanes / 2; apart > 0; apart /= 2)
    range = merge(range,
                  {__shfl_xor_sync(kAllLanes, range.min, apart), __shfl_xor_sync(kAllLanes, range.max, apart),
                   __shfl_xor_sync(kAllLanes, static_cast<int>(range.saw_nan), apart) != 0});
  return range;
}

/// The range of what all threads of a block hold, for thread 0. For all kThreads of them together, once a
/// kernel.
__device__ inline MinMax merge_block(MinMax range) {
  constexpr int kWarps = kThreads / 32;
  __shared__ float least[kWarps];
  __shared__ float greatest[kWarps];
  __shared__ int nans[kWarps];
  range = merge_lanes(range);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (threadIdx.x % 32 == 0) {
    least[warp] = range.min;
    greatest[warp] = range.max;
    nans[warp] = range.saw_nan ? 1 : 0;
  }
  __syncthreads();
  if (threadIdx.x == 0)
    for (int i = 1; i < kWarps; ++i) range = merge(range, {least[i], greatest[i], nans[i] != 0});
  return range;
}

}  // namespace samebits::kernels::cuda
