// Launcher of kernels/quantize/stochastic.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/quantize/stochastic.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// quantize_stochastic of n elements; pointers, `saw_nan` and the result as in
/// kernels/quantize/cuda/fake_quantize.h. A CUDA graph that is replayed draws the same numbers again: seed
/// and stream are the launch's.
const char* launch_quantize_stochastic(const StochasticArgs& args, const GridTable& table, std::int64_t n,
                                       int* saw_nan, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
