#include "kernels/observe/cuda/histogram.h"

#include "kernels/observe/cuda/histogram.cuh"

namespace samebits::kernels::cuda {

const char* launch_count(const void* x, FloatType type, const HistogramRange& range, std::int64_t n,
                         unsigned long long* counts, unsigned long long* nans, CUstream_st* stream) {
  if (n == 0) return nullptr;
  // Every block ends with up to kBins additions to the total: fewer blocks with more elements each.
  constexpr std::int64_t kElementsPerBlock = 32 * 1024;
  return with_float_type(type, [&]<class Stored>(Stored) {
    return launch(count<Stored>, blocks_for(n, kElementsPerBlock), stream, static_cast<const Stored*>(x),
                  HistogramScale{range.half_low(), range.bins_per_half()}, n, counts, nans);
  });
}

}  // namespace samebits::kernels::cuda
