// Launcher of kernels/float/relu.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/float/relu.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// relu of n elements; pointers and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_relu(const ReluArgs& args, std::int64_t n, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
