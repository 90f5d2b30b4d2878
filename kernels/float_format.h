// 16-bit floats as float32, which is exact for every value, and back where it is exact.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace samebits::kernels {

inline float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// IEEE binary16: 1 sign, 5 exponent and 10 mantissa bits.
inline float from_float16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00u) return std::bit_cast<float>(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
  // As float32 bits the magnitude is too small by 2^112, denormals too: one exact product puts that right.
  return std::copysign(std::bit_cast<float>(magnitude << 13) * 0x1p112f, std::bit_cast<float>(sign));
}

/// Whether some finite float16 is exactly `value`; then `bits` gets it.
inline bool to_float16_exactly(float value, std::uint16_t& bits) {
  if (!(std::fabs(value) <= 65504.0f)) return false;
  const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(std::fabs(value) * 0x1p-112f) >> 13;
  bits = static_cast<std::uint16_t>((std::signbit(value) ? 0x8000u : 0u) | magnitude);
  return from_float16(bits) == value;
}

}  // namespace samebits::kernels
