// The order of kernels/common/chunked_sum.h on the device: 16 threads are the 16 lanes of a chunk, and the
// sums of chunks are added by one thread, ascending, while the others of its block fetch them. No float
// atomics.
#pragma once

#include "kernels/common/chunked_sum.h"
#include "kernels/common/cuda/quads.cuh"

namespace samebits::kernels::cuda {

constexpr int kSumThreads = static_cast<int>(kSumLanes);        // of a chunk
constexpr std::int64_t kSumsPerBlock = kThreads / kSumThreads;  // chunks at once

/// LaneSums::fold of what the kSumThreads lanes of a chunk hold, for the first of them. For all lanes of the
/// warp.
__device__ inline double fold_lanes(double lane_sum) {
  for (int apart = kSumThreads / 2; apart > 0; apart /= 2)
    lane_sum += __shfl_down_sync(kAllLanes, lane_sum, apart, kSumThreads);
  return lane_sum;
}

/// Calls body(item, is_item) for items [0, count): the 16 threads of a chunk get the same one. All lanes of a
/// warp call it together, with is_item false where there is none, so that the body may exchange values. Any
/// number of blocks.
template <class Body>
__device__ void for_each_sum(std::int64_t count, Body body) {
  const std::int64_t stride = gridDim.x * kSumsPerBlock;
  const std::int64_t own = static_cast<std::int64_t>(threadIdx.x) / kSumThreads;
  for (std::int64_t base = blockIdx.x * kSumsPerBlock; base < count; base += stride)
    body(base + own, base + own < count);
}

struct TwoSums {
  double first, second;
};

/// Both sums of terms(i) over i in [0, count), each ascending from +0, by all kThreads of a block together:
/// thread 0 returns the first, thread 32 the second.
template <class Terms>
__device__ double sum_ascending(std::int64_t count, Terms terms) {
  __shared__ double first[kThreads];
  __shared__ double second[kThreads];
  double sum = 0.0;
  for (std::int64_t base = 0; base < count; base += kThreads) {
    const std::int64_t i = base + threadIdx.x;
    if (i < count) {
      const TwoSums term = terms(i);
      first[threadIdx.x] = term.first;
      second[threadIdx.x] = term.second;
    }
    __syncthreads();
    const int staged = count - base < kThreads ? static_cast<int>(count - base) : kThreads;
    if (threadIdx.x % 32 == 0 && threadIdx.x < 64) {
      const double* const staged_terms = threadIdx.x == 0 ? first : second;
#pragma unroll 8
      for (int j = 0; j < staged; ++j) sum += staged_terms[j];
    }
    __syncthreads();
  }
  return sum;
}

}  // namespace samebits::kernels::cuda
