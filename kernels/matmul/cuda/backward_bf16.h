// Launchers of what the backward of a layer in bfloat16 does around its products (docs/numerics.md §6), for
// files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/common/bf16.h"
#include "kernels/quantize/column_sums.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// One pass over grad_y makes the operands of both products, row-major, and the sums of its columns. Pointers
/// are the device's; outputs may be null: not wanted.
struct GradientOperandsArgs {
  const float* g;  // [m][n]
  std::int64_t m, n;
  const float* weight_scale = nullptr;  // of the weight's channels: n values, or 1; null: 1
  bool has_one_scale = false;           // weight_scale is 1 value
  const float* x_scale = nullptr;       // 1 value
  Bf16* for_grad_x = nullptr;       // [m][n]: to_bf16(g * weight_scale), the product rounded to float32 first
  Bf16* for_grad_weight = nullptr;  // [m][n]: to_bf16(g * x_scale), likewise
  float* block_sums = nullptr;      // room for sum_blocks(m) * n: those of column_sums.h
  float* sums = nullptr;            // [n]: add_block_sums of these; null together with block_sums
};

/// The result is null or the launch's error text, as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_gradient_operands(const GradientOperandsArgs& args, CUstream_st* stream);

/// y[0, n) = codes - *zero_point, exact.
const char* launch_codes_to_bf16(const std::int8_t* codes, std::int64_t n, const std::int32_t* zero_point,
                                 Bf16* y, CUstream_st* stream);

/// grad = +0 where the mask is 1, in place: it reads the mask and touches what was clipped alone. `clip_mask`
/// has rows of ceil(row_length / 8) bytes.
const char* launch_clear_clipped(float* grad, std::int64_t rows, std::int64_t row_length,
                                 const std::uint8_t* clip_mask, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
