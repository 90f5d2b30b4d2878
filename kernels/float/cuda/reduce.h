// Launchers of kernels/float/reduce.h on CUDA, for files that nvcc does not compile.
#pragma once

#include "kernels/float/reduce.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

// Of all rows; pointers and results as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_sum_rows(const ReduceArgs& args, std::int64_t rows, CUstream_st* stream);
const char* launch_max_rows(const ReduceArgs& args, std::int64_t rows, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
