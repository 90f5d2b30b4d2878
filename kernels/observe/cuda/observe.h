// Launcher of kernels/observe/observe.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/observe/observe.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// The observation of x[0, n) of `type`; `chunks` is room for sum_chunks(n) of them. Pointers and the result
/// as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_observe(const void* x, std::int64_t n, FloatType type, Observation* chunks,
                           Observation* all, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
