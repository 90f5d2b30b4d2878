// Launcher of kernels/observe/histogram.h's count() on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/observe/histogram.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Adds the elements of x[0, n) of `type` to counts[kHistogramBins] and *nans of the device, in bins of
/// `range`, which is not empty. The result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_count(const void* x, FloatType type, const HistogramRange& range, std::int64_t n,
                         unsigned long long* counts, unsigned long long* nans, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
