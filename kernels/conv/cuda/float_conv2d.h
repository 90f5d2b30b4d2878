// Launcher of kernels/conv/float_conv2d.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/conv/float_conv2d.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// All images; the shape fits ConvSizes. Pointers are the device's. The result is null or the launch's error
/// text, as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_float_conv2d(const FloatConv2dArgs& args, const Conv2dShape& shape, std::int64_t images,
                                CUstream_st* stream);

}  // namespace samebits::kernels::cuda
