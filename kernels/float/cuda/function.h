// Launcher of kernels/float/function.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/float/function.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// apply_function of n elements; pointers and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_function(const FunctionArgs& args, std::int64_t n, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
