// What the formulas of kernels/float may use, for one float on host and device: IEEE 754 operations, each
// rounded once to nearest, and moves of bits. kernels/float/cpu/vector_ops-inl.h has the same for vectors.
#pragma once

#include <math.h>

#include "kernels/common/float_type.h"

#if defined(__CUDACC__)
#define SAMEBITS_INLINE __host__ __device__ __forceinline__
#else
#define SAMEBITS_INLINE inline __attribute__((always_inline))
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define SAMEBITS_UNROLL _Pragma("GCC unroll 64")
#else
#define SAMEBITS_UNROLL _Pragma("unroll")
#endif

namespace samebits::kernels {

/// What every result that is no number becomes: processors disagree about signs and payloads.
constexpr std::uint32_t kNanBits = 0x7FC00000u;

struct ScalarOps {
  using Float = float;
  static constexpr int kLanes = 1;

  SAMEBITS_INLINE static float load(const float* from, int /*count*/ = 1, float /*fill*/ = 0.0f) {
    return *from;
  }
  SAMEBITS_INLINE static void store(float a, float* to, int /*count*/ = 1) { *to = a; }

  SAMEBITS_INLINE static float set(float a) { return a; }
  SAMEBITS_INLINE static float add(float a, float b) { return a + b; }
  SAMEBITS_INLINE static float sub(float a, float b) { return a - b; }
  SAMEBITS_INLINE static float mul(float a, float b) { return a * b; }
  SAMEBITS_INLINE static float div(float a, float b) { return a / b; }
  SAMEBITS_INLINE static float sqrt(float a) { return ::sqrtf(a); }
  SAMEBITS_INLINE static float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
  /// c - a * b, rounded once.
  SAMEBITS_INLINE static float nfma(float a, float b, float c) { return ::fmaf(-a, b, c); }
  /// Of numbers that are not two zeros: with a NaN each processor answers differently, and no formula depends
  /// on it.
  SAMEBITS_INLINE static float min(float a, float b) { return a < b ? a : b; }
  SAMEBITS_INLINE static float max(float a, float b) { return a > b ? a : b; }
  SAMEBITS_INLINE static bool less(float a, float b) { return a < b; }
  SAMEBITS_INLINE static bool is_number(float a) { return a == a; }
  SAMEBITS_INLINE static float select(bool mask, float yes, float no) { return mask ? yes : no; }
  SAMEBITS_INLINE static float abs(float a) { return float_of_bits(float_bits(a) & 0x7FFFFFFFu); }
  /// `magnitude`, which is not negative, with the sign of `sign`.
  SAMEBITS_INLINE static float with_sign(float magnitude, float sign) {
    return float_of_bits(float_bits(magnitude) | (float_bits(sign) & 0x80000000u));
  }
  /// The power of two whose exponent field is the lowest 8 bits of a sum.
  SAMEBITS_INLINE static float exponent(float sum) { return float_of_bits(float_bits(sum) << 23); }
  /// a * b = 2^n for a sum whose lowest bits are n + 254, both powers of two and normal for |n| <= 252.
  SAMEBITS_INLINE static void split_exponent(float sum, float& a, float& b) {
    const std::uint32_t bits = float_bits(sum), half = bits >> 1;
    a = float_of_bits(half << 23);
    b = float_of_bits((bits - half) << 23);
  }
  /// x / 2^n in [sqrt(1/2), sqrt(2)) for a normal positive x.
  SAMEBITS_INLINE static float significand(float x, float& n) {
    const auto bits = static_cast<std::int32_t>(float_bits(x)), power = (bits - 0x3F3504F3) >> 23;
    n = static_cast<float>(power);
    return float_of_bits(static_cast<std::uint32_t>(bits) - (static_cast<std::uint32_t>(power) << 23));
  }
};

}  // namespace samebits::kernels
