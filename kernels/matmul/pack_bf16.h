// Operands of gemm_bf16 for the backward pass of y = x * weight^T, with x [m][k], weight [n][k], g = grad_y
// [m][n]:
//   grad_x = (g * weight scale) * weight codes     a: pack_gradient, b: pack_codes of the weights, depth n
//   grad_weight = x scale * g^T * x codes          a: pack_gradient, b: pack_codes of x, depth m
// Codes minus zero point are integers within ±255 and exact in bfloat16: the gradient alone is rounded.
#pragma once

#include <cstdint>

#include "kernels/common/bf16.h"
#include "kernels/common/kernel.h"
#include "kernels/quantize/column_sums.h"

namespace samebits::kernels {

/// One pass over g makes both operands and the sums of its columns. Outputs may be null: not wanted.
struct PackGradientArgs {
  const float* g;  // [m][n]
  std::int64_t m, n;
  const float* scale;        // of the weight's channels: scale_count values, or null for 1
  std::int64_t scale_count;  // 1 or n
  Bf16* for_grad_x;  // packed a of m rows, depth n: to_bf16(g * scale), the product rounded to float32 first
  Bf16* for_grad_weight;  // packed a of n rows, depth m: to_bf16(g), transposed
  float* block_sums;      // column_sums.h, of the unrounded g
};

/// Rows [begin, end) of g; begin is a multiple of kSumRows, end is too or is m. Padding becomes 0. Every
/// implementation gives the same bits. Does not allocate or throw.
extern const Kernel<void(const PackGradientArgs& args, std::int64_t begin, std::int64_t end)> pack_gradient;

/// Codes as a packed b.
struct PackCodesArgs {
  const std::int8_t* codes;  // [depth][columns]
  std::int64_t depth, columns;
  std::int32_t zero_point = 0;  // subtracted; |code - zero_point| <= 256
  /// Null, or [groups][depth]: weights with groups along k, which become to_bf16 of the real weight (code -
  /// zero_point) * scale, so that the weight is rounded too.
  const float* scale = nullptr;
  std::int64_t group_size = 0;  // columns of a group, when scale is not null
  Bf16* packed;                 // packed_bf16_size(columns, depth) elements
};

/// Rows [begin, end) of the depth; begin is a multiple of kBf16Block, end is too or is depth. Padding becomes
/// 0. Reads nothing past the last code. Every implementation gives the same bits.
extern const Kernel<void(const PackCodesArgs& args, std::int64_t begin, std::int64_t end)> pack_codes;

}  // namespace samebits::kernels
