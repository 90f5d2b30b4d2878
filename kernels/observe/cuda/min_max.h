// Launcher of kernels/observe/min_max.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/common/cuda/segments.h"
#include "kernels/observe/min_max.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// min and max of each segment of x, [rows][groups]; `partials` is room for segments.chunks() of them.
/// Pointers, `saw_nan` and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_min_max(const float* x, const Segments& segments, MinMax* partials, float* min, float* max,
                           int* saw_nan, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
