// Launcher of kernels/float/softmax.h on CUDA, for files that nvcc does not compile.
#pragma once

#include "kernels/float/softmax.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// softmax of all rows; pointers and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_softmax(const SoftmaxArgs& args, std::int64_t rows, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
