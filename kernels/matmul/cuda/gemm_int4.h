// Launchers of kernels/matmul/gemm_int4.h on CUDA, for files that nvcc does not compile. Weights stand
// row-major, as INT4 weights are stored and exported; int8 codes with groups go the same way.
#pragma once

#include <cstdint>

#include "kernels/matmul/gemm_int4.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// How a weight code is stored: as int8, or as a nibble of kernels/formats/pack_int4.h (the whole matrix
/// packed as one array), of [-8, 7] or of 0..15.
enum class CodeFormat { kInt8, kInt4, kUint4 };

/// Codes [n][k] of a weight; |code - zero_point| <= 127. Pointers are the device's.
struct RowMajorWeight {
  const void* codes;
  CodeFormat format;
  Int4Shape shape;                 // n, k, group_size
  const float* scale;              // [n][groups]
  const std::int32_t* zero_point;  // [n][groups]; null: 0
};

/// gemm_int4 of m rows: the sums of kernels/matmul/gemm_int4.h, with code - zero_point in place of level -
/// zero.
struct GemmCodesArgs {
  const std::int8_t* a;  // rows of k codes
  std::int64_t a_stride, m;
  const float* a_scale;              // 1 value
  const std::int32_t* a_zero_point;  // 1 value
  RowMajorWeight b;
  Int4Output output;
  const float* channel_scale = nullptr;  // [n] factors of the scales (sum_scale()); null: none
};

/// Any n, k and m; group_size a multiple of 4. The result is null or the launch's error text, as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_gemm_codes(const GemmCodesArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
