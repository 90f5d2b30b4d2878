#include "kernels/cuda/histogram.h"

#include "kernels/cuda/histogram.cuh"

namespace samebits::kernels::cuda {

const char* launch_count(const float* x, const HistogramRange& range, std::int64_t n,
                         unsigned long long* counts, unsigned long long* nans, CUstream_st* stream) {
  if (n == 0) return nullptr;
  // Every block ends with up to kBins additions to the total: fewer blocks with more elements each.
  constexpr std::int64_t kElementsPerBlock = 32 * 1024;
  return launch(count, blocks_for(n, kElementsPerBlock), stream, x,
                HistogramScale{range.half_low(), range.bins_per_half()}, n, counts, nans);
}

}  // namespace samebits::kernels::cuda
