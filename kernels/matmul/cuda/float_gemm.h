// Launcher of kernels/matmul/float_gemm.h on CUDA, for files that nvcc does not compile: both operands as
// they stand in memory.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace samebits::kernels::cuda {

/// y[m][n] = the chains of x[m][k] and weight[n][k], times channel_scale[n], plus bias[n], unless these are
/// null; all dense. Pointers are the device's.
struct FloatLinearArgs {
  const float *x, *weight, *bias, *channel_scale;
  float* y;
  std::int64_t m, n, k;
};

/// The result is null or the launch's error text, as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_float_linear(const FloatLinearArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
