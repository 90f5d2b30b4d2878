// Products with 4-bit weights, unpacked in registers: of int8 codes (W4A8, exact sums, docs/numerics.md §4
// and §5) and of floats (weight only, one order of float32 sums that all implementations keep, §10).
#pragma once

#include <cstdint>

#include "kernels/common/float_type.h"
#include "kernels/common/kernel.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::kernels {

/// A packed weight matrix; owns nothing. Faster if `levels` is aligned to 64 bytes.
struct PackedInt4 {
  Int4Shape shape;
  const std::uint8_t* levels;      // pack_gemm_int4
  const float* scale;              // pack_gemm_int4_scales
  const std::uint8_t* zero_level;  // pack_gemm_int4_zero_points; null: `zero` for all
  std::uint8_t zero = 8;           // the level of the real 0: -qmin for a symmetric grid
};

/// What becomes of a sum: the bias is added, then relu applied as kernels/float/relu.h does it.
struct Int4Output {
  float* y;                     // row-major, n columns
  std::int64_t stride;          // elements between rows
  const float* bias = nullptr;  // [n]; null: no addition at all
  bool relu = false;
};

/// Row m, column n, with A_g the sum over k of group g of (a[m][k] - a_zero_point) * (level[n][k] -
/// zero[n][g]):
///   without groups   y = float(A) * (a_scale * scale[n]) + bias
///   with groups      y = (sum over g, ascending, of float(A_g) * scale[n][g]) * a_scale + bias
/// Each operation is rounded, nothing is fused.
struct GemmInt4Args {
  const std::int8_t* a;   // rows of k codes, any alignment; nothing past the last code of a row is read
  std::int64_t a_stride;  // elements between rows
  float a_scale;
  std::int32_t a_zero_point;  // of [-128, 127]
  PackedInt4 b;
  Int4Output output;
};

/// The largest depth of a group whose sums, and all that leads to them, fit int32.
constexpr std::int64_t kMaxInt4Depth = INT32_MAX / (255 * 15);

/// Rows [row_begin, row_end) x columns [column_begin, column_end) of y. column_begin is a multiple of 16,
/// column_end too unless it is n; so threads can share a call. Keeps a scratch buffer for each
/// thread; throws std::bad_alloc when there is no memory for it. Every implementation gives the same bits.
extern const Kernel<void(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                         std::int64_t column_begin, std::int64_t column_end)>
    gemm_int4;

/// Row m, column n, with d[k] = float(level[n][k] - zero[n][g]), exact. In each group four sums,
///   p_j = fma(x[m][k], d[k], p_j)   from 0, over the k of the group with k - k_first = j (mod 4), ascending;
/// then over the groups, ascending,
///   t = fma((p_0 + p_1) + (p_2 + p_3), scale[n][g], t)   from 0;
/// and y = t + bias. NaN and infinities go where these operations carry them; the bits of a NaN are not
/// defined.
struct GemmFloatInt4Args {
  const void* x;  // rows of k values; bfloat16 and float16 are widened, which is exact
  FloatType x_type;
  std::int64_t x_stride;  // elements between rows
  PackedInt4 b;
  Int4Output output;
};

/// As gemm_int4.
extern const Kernel<void(const GemmFloatInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                         std::int64_t column_begin, std::int64_t column_end)>
    gemm_float_int4;

}  // namespace samebits::kernels
