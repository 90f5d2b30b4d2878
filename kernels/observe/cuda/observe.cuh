// kernels/observe/observe.h on CUDA: 16 threads a chunk of 4096, then one block for all chunks.
#pragma once

#include "kernels/common/cuda/sums.cuh"
#include "kernels/observe/cuda/ranges.cuh"
#include "kernels/observe/observe.h"

namespace samebits::kernels::cuda {

/// chunks[k] of elements [kSumChunk * k, kSumChunk * (k + 1)) of [0, n). Launch with any number of blocks.
template <class Stored>
__global__ void __launch_bounds__(kThreads)
    observe_chunks(const Stored* x, std::int64_t n, Observation* chunks) {
  for_each_sum(sum_chunks(n), [&](std::int64_t chunk, bool is_chunk) {
    const std::int64_t begin = chunk * kSumChunk, end = begin + kSumChunk < n ? begin + kSumChunk : n;
    MinMax range;
    double sum = 0.0, sum_of_squares = 0.0;
    for (std::int64_t i = begin + threadIdx.x % kSumThreads; i < end; i += kSumThreads) {
      const float value = to_float(x[i]);
      range = with_value(range, value);
      const double number = isnan(value) ? 0.0 : double{value};
      sum += number;
      sum_of_squares += number * number;
    }
    range = merge_lanes(range, kSumThreads);
    sum = fold_lanes(sum);
    sum_of_squares = fold_lanes(sum_of_squares);
    if (is_chunk && threadIdx.x % kSumThreads == 0)
      chunks[chunk] = {range, with_one_nan(sum), sum_of_squares};
  });
}

/// The observation of all chunks together. Launch one block.
__global__ void __launch_bounds__(kThreads)
    observe_fold(const Observation* chunks, std::int64_t count, Observation* all) {
  MinMax range;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) range = merge(range, chunks[i].range);
  range = merge_block(range);
  const double sum = sum_ascending(count, [&](std::int64_t i) {
    return TwoSums{chunks[i].sum, chunks[i].sum_of_squares};
  });
  if (threadIdx.x == 0) {
    all->range = range;
    all->sum = with_one_nan(sum);
  }
  if (threadIdx.x == 32) all->sum_of_squares = sum;
}

}  // namespace samebits::kernels::cuda
