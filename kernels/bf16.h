// bfloat16, the upper half of a float32: the one place where a float32 is rounded to it.
#pragma once

#include <bit>
#include <cstdint>

namespace samebits::kernels {

/// A bfloat16 in storage: sign, 8 exponent bits, 7 fraction bits.
using Bf16 = std::uint16_t;

/// The nearest bfloat16, ties to even; what overflows becomes infinite, denormals are kept. NaN stays NaN:
/// quiet, with the upper bits of its payload.
inline Bf16 to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<Bf16>((bits | 0x00400000u) >> 16);
  return static_cast<Bf16>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

inline float from_bf16(Bf16 value) {
  return std::bit_cast<float>(std::uint32_t{value} << 16);
}

}  // namespace samebits::kernels
