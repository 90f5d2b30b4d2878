// Launchers of kernels/matmul/gemm_int4.h on CUDA for few rows, for files that nvcc does not compile: the
// packed weight is read once, as it is, by many threads a column.
#pragma once

#include <cstdint>

#include "kernels/matmul/gemm_int4.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Above as many rows the tiles of gemm_int4.h and gemm_float_int4.h are faster.
constexpr std::int64_t kGemvRows = 16;

/// gemm_int4 of m rows, any m. Pointers are the device's.
struct GemvInt4Args {
  const std::int8_t* a;  // rows of k codes
  std::int64_t a_stride, m;
  const float* a_scale;              // 1 value
  const std::int32_t* a_zero_point;  // 1 value
  PackedInt4 b;
  Int4Output output;
};

/// gemm_float_int4 of m rows, likewise.
struct GemvFloatInt4Args {
  const void* x;  // rows of k values
  FloatType x_type;
  std::int64_t x_stride, m;
  PackedInt4 b;
  Int4Output output;
};

/// The result is null or the launch's error text, as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_gemv_int4(const GemvInt4Args& args, CUstream_st* stream);
const char* launch_gemv_float_int4(const GemvFloatInt4Args& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
