// From sums in AVX-512 registers to the output of gemm_bf16: scale, clip mask, accumulation. x86-64 only.
// Functions carry their instruction set, so that any x86-64 build can hold them.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/matmul/cpu/bf16/kernels.h"
#include "kernels/matmul/cpu/target.h"

SAMEBITS_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq")
namespace samebits::kernels {

/// 16 sums of one row, from `column` on; columns from `column_end` on are left alone.
inline void store_sums(const GemmBf16Args& args, std::int64_t row, std::int64_t column,
                       std::int64_t column_end, __m512 sums) {
  const std::int64_t count = std::min<std::int64_t>(16, column_end - column);
  if (count <= 0) return;
  const __mmask16 inside = static_cast<__mmask16>((1u << count) - 1u);
  __m512 value = _mm512_mul_ps(sums, _mm512_set1_ps(args.scale));
  if (args.clip_mask != nullptr) {
    const unsigned clipped = mask_bits_at(args.clip_mask, row * args.columns + column, count);
    value = _mm512_maskz_mov_ps(static_cast<__mmask16>(~clipped), value);
  }
  float* output = args.output + row * args.output_stride + column;
  if (args.accumulate) value = _mm512_add_ps(_mm512_maskz_loadu_ps(inside, output), value);
  _mm512_mask_storeu_ps(output, inside, value);
}

/// 32 sums at once where all 32 columns exist and their mask bits fill whole bytes from `clip_mask` on (null:
/// no mask).
inline void store_whole_row(const GemmBf16Args& args, float* output, const std::uint8_t* clip_mask,
                            __m512 low, __m512 high) {
  const __m512 scale = _mm512_set1_ps(args.scale);
  low = _mm512_mul_ps(low, scale);
  high = _mm512_mul_ps(high, scale);
  if (clip_mask != nullptr) {
    std::uint32_t clipped;
    std::memcpy(&clipped, clip_mask, sizeof clipped);
    low = _mm512_maskz_mov_ps(static_cast<__mmask16>(~clipped), low);
    high = _mm512_maskz_mov_ps(static_cast<__mmask16>(~clipped >> 16), high);
  }
  if (args.accumulate) {
    low = _mm512_add_ps(_mm512_loadu_ps(output), low);
    high = _mm512_add_ps(_mm512_loadu_ps(output + 16), high);
  }
  _mm512_storeu_ps(output, low);
  _mm512_storeu_ps(output + 16, high);
}

}  // namespace samebits::kernels
SAMEBITS_END_TARGET
