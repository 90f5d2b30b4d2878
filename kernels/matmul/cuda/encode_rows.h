// Launchers that put a layer's weight on its grids, for files that nvcc does not compile: the ranges, the
// grids, the codes and the terms of a forward in one read of the weight; or the operand of a backward in
// bfloat16.
#pragma once

#include <cstdint>

#include "kernels/common/bf16.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// A weight with one grid a row, or one for all. Pointers are the device's.
struct WeightRows {
  const float* weight;  // [rows][row_length]
  std::int64_t rows, row_length;
  std::int32_t qmin, qmax;     // within [-128, 127]; affine: at most 7 bits
  float* scale;                // [rows], or 1 value
  std::int32_t* zero_point;    // as many; null: symmetric, all 0
  bool has_one_scale = false;  // scale is 1 value
  bool finds_grids =
      false;  // scale and zero_point are written: grids of the rows' own ranges; has_one_scale is false
  int* not_finite = nullptr;  // kRowHoldsNan and kRowHoldsInfinity are added; null: not wanted
};
constexpr int kRowHoldsNan = 1;
constexpr int kRowHoldsInfinity = 2;  // beside finds_grids only, and of a row without NaN

/// What the forward takes: rows of `stride` codes minus zero points (0 for a NaN), `stride` - row_length
/// zeros behind each and rows of zeros up to padded_rows; and layer_terms of kernels/matmul/linear.h.
struct ForwardRows {
  std::int8_t* codes;
  std::int64_t stride, padded_rows;
  const float* x_scale;                  // 1 value
  const std::int32_t* x_zero_point;      // 1 value
  std::int32_t* correction;              // [rows]: x_zero_point * sum of the row's codes
  float* scale;                          // [rows]: sum_scale()
  const float* channel_scale = nullptr;  // [rows]; null: none
};

/// What the backward takes.
struct BackwardRows {
  Bf16* codes;              // [rows][row_length]: codes minus zero points, exact
  std::uint8_t* clip_mask;  // rows of ceil(row_length / 8) bytes: bit 1 where an element was clipped
};

/// Of a range that is not finite the grid is that of zeros. The result is null or the launch's error text, as
/// in kernels/quantize/cuda/fake_quantize.h.
const char* launch_encode_rows(const WeightRows& weight, const ForwardRows& out, CUstream_st* stream);
const char* launch_encode_rows(const WeightRows& weight, const BackwardRows& out, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
