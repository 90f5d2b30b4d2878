// Launchers of kernels/float/normalize.h on CUDA, for files that nvcc does not compile.
#pragma once

#include "kernels/float/normalize.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

// Of all rows and planes; pointers and results as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_normalize_rows(const NormalizeArgs& args, std::int64_t rows, CUstream_st* stream);
const char* launch_scale_channels(const ScaleChannelsArgs& args, std::int64_t planes, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
