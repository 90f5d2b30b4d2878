// When the quotient r / s may be computed by a reciprocal and two corrections: y = fl(1 / s), q0 = fl(r y),
// q1 = fma(fma(-q0, s, r), y, q0), q2 = fma(fma(-q1, s, r), y, q1). Its code is that of fl(r / s) for every
// |r| <= 512 s.
//
// Let x = r / s, u = 2^-24, s = S 2^e with 1 <= S < 2, and y = (1 / s)(1 + d); then |d| <= 2^-25 S. For |x|
// >= 1/4:
// - |q0 - x| <= (2u + u^2)|x|; with the residual rounded once, q1 before its rounding is within about 4u^2
// |x| of x, so
//   |q1 - x| <= (1/2 + t) ulp with t < 2^-21 / 2 + 2^-40, where ulp is that of x;
// - r - q1 s is a multiple of ulp(q1) ulp(s) below 2^24 of them: exact. Hence q2 before its rounding is x +
// (q1 - x) d,
//   within (1/2 + t) 2^-25 S ulp of x;
// - a midpoint m of two floats has 25 bits, the last one set, so that r != m s; both are multiples of ulp
// 2^(e-24):
//   |x - m| >= 2^-24 / S ulp. No midpoint lies between x and q2 before its rounding if (1/2 + t) S^2 < 2,
//   which S <= 2 - 2^-20 ensures. Then q2 = fl(x).
// For |x| < 1/4, |q2| < 1/2 and both round to 0. No step overflows, and no residual that matters is below the
// normal range, if 2^-100 <= s <= 2^100. Other scales divide.
#pragma once

#include <bit>
#include <cstdint>

namespace samebits::kernels {

inline bool reciprocal_can_be_corrected(float scale) {
  constexpr std::uint32_t kMantissa = 0x7fffff, kLargest = 0x7ffff8;  // 2 - 2^-20
  return scale >= 0x1p-100f && scale <= 0x1p100f &&
         (std::bit_cast<std::uint32_t>(scale) & kMantissa) <= kLargest;
}

}  // namespace samebits::kernels
