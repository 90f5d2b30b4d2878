// kernels/observe/histogram.h's count() on CUDA: each block counts into shared memory and adds its bins to
// the total. Integers only, so that the order of threads does not show.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/observe/histogram.h"

namespace samebits::kernels::cuda {

constexpr int kBins = static_cast<int>(kHistogramBins);

/// HistogramRange, as count() uses it.
struct HistogramScale {
  float half_low, bins_per_half;
};

/// The bin of a number.
__device__ inline int bin_of(float x, const HistogramScale& scale) {
  const float position = (x * 0.5f - scale.half_low) * scale.bins_per_half;
  if (position >= static_cast<float>(kBins)) return kBins - 1;
  return position >= 0.0f ? static_cast<int>(position) : 0;
}

/// Adds the elements of x[0, n) to counts[kBins] and *nans. Launch with any number of blocks of which none
/// sees 2^32 elements.
template <class Stored>
__global__ void __launch_bounds__(kThreads) count(const Stored* x, HistogramScale scale, std::int64_t n,
                                                  unsigned long long* counts, unsigned long long* nans) {
  __shared__ unsigned bins[kBins + 1];  // the last one for NaNs
  for (int i = static_cast<int>(threadIdx.x); i <= kBins; i += kThreads) bins[i] = 0;
  __syncthreads();
  for_each_quad(n, [&](std::int64_t first, int number) {
    float r[4];
    load_reals<Stored>(x, first, number, r);
    for (int i = 0; i < number; ++i) atomicAdd(&bins[isnan(r[i]) ? kBins : bin_of(r[i], scale)], 1u);
  });
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i <= kBins; i += kThreads)
    if (bins[i] > 0) atomicAdd(i < kBins ? counts + i : nans, static_cast<unsigned long long>(bins[i]));
}

}  // namespace samebits::kernels::cuda
