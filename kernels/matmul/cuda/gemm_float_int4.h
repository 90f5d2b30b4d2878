// Launcher of the weight-only products of kernels/matmul/gemm_int4.h on CUDA, for files that nvcc does not
// compile.
#pragma once

#include "kernels/matmul/cuda/gemm_int4.h"

namespace samebits::kernels::cuda {

/// gemm_float_int4 of m rows, with the order of sums of kernels/matmul/gemm_int4.h. The bits of a NaN are not
/// defined.
struct GemmFloatArgs {
  const void* x;  // rows of k values
  FloatType x_type;
  std::int64_t x_stride, m;
  RowMajorWeight b;
  Int4Output output;
};

const char* launch_gemm_float_int4(const GemmFloatArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
