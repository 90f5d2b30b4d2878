// Launchers of kernels/conv/max_pool.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/conv/max_pool.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// All planes. Pointers are the device's. The result is null or the launch's error text, as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_max_pool(const MaxPoolShape& shape, std::int64_t planes, const float* x, float* y,
                            std::uint8_t* argmax, CUstream_st* stream);
const char* launch_max_pool_backward(const MaxPoolShape& shape, std::int64_t planes, const float* grad_y,
                                     const std::uint8_t* argmax, float* grad_x, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
