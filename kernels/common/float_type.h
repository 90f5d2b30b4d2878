// The floating-point types that element-wise kernels read and write, and how 16-bit ones become float32 and
// come back: to nearest, ties to even, by integer arithmetic, so that host and device agree to the bit.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace samebits::kernels {

enum class FloatType { kFloat32, kBfloat16, kFloat16 };

/// The upper half of a float32: 8 exponent bits, 7 of fraction.
struct Bfloat16 {
  std::uint16_t bits;
};

/// IEEE binary16: 5 exponent bits, 10 of fraction; largest finite value 65504, smallest denormal 2^-24.
struct Float16 {
  std::uint16_t bits;
};

SAMEBITS_HOST_DEVICE inline std::uint32_t float_bits(float value) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(value);
#else
  return std::bit_cast<std::uint32_t>(value);
#endif
}

SAMEBITS_HOST_DEVICE inline float float_of_bits(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

/// The same real. A NaN stays NaN.
SAMEBITS_HOST_DEVICE inline float to_float(float value) {
  return value;
}
SAMEBITS_HOST_DEVICE inline float to_float(Bfloat16 value) {
  return float_of_bits(static_cast<std::uint32_t>(value.bits) << 16);
}
SAMEBITS_HOST_DEVICE inline float to_float(Float16 value) {
  const std::uint32_t sign = (value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = value.bits >> 10 & 0x1Fu, fraction = value.bits & 0x3FFu;
  if (exponent == 0) return float_of_bits(float_bits(static_cast<float>(fraction) * 0x1p-24f) | sign);
  if (exponent == 0x1Fu && fraction != 0) return float_of_bits(sign | 0x7FC00000u | fraction << 13);
  const std::uint32_t bias = exponent == 0x1Fu ? 0xFFu - 0x1Fu : 127u - 15u;
  return float_of_bits(sign | (exponent + bias) << 23 | fraction << 13);
}

/// The nearest bfloat16. What overflows becomes infinite; NaN becomes quiet and keeps its upper payload bits.
SAMEBITS_HOST_DEVICE inline Bfloat16 to_bfloat16(float value) {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16)};
}

/// The nearest binary16, denormals included. From 65520 on it is infinite; NaN as for bfloat16.
SAMEBITS_HOST_DEVICE inline Float16 to_float16(float value) {
  const std::uint32_t bits = float_bits(value), magnitude = bits & 0x7FFFFFFFu;
  std::uint32_t result;
  if (magnitude > 0x7F800000u) {
    result = 0x7E00u | (magnitude >> 13 & 0x3FFu);
  } else if (magnitude >= 0x477FF000u) {  // 65520, half way from the largest value to 2^16
    result = 0x7C00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal value
    result = (magnitude - ((127u - 15u) << 23) + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
  } else if (magnitude <= 0x33000000u) {  // 2^-25, a tie between 0 and the smallest denormal
    result = 0;
  } else {  // units of 2^-24
    const std::uint32_t shift = 126u - (magnitude >> 23), significand = (magnitude & 0x7FFFFFu) | 0x800000u;
    const std::uint32_t half = 1u << (shift - 1u), rest = significand & (2u * half - 1u);
    result = significand >> shift;
    if (rest > half || (rest == half && (result & 1u) != 0)) ++result;
  }
  return {static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | result)};
}

/// round_to<Stored>(value): one of the two, or the value itself.
template <class Stored>
SAMEBITS_HOST_DEVICE Stored round_to(float value);
template <>
SAMEBITS_HOST_DEVICE inline float round_to<float>(float value) {
  return value;
}
template <>
SAMEBITS_HOST_DEVICE inline Bfloat16 round_to<Bfloat16>(float value) {
  return to_bfloat16(value);
}
template <>
SAMEBITS_HOST_DEVICE inline Float16 round_to<Float16>(float value) {
  return to_float16(value);
}

/// Calls `visit(Stored())` with the C++ type of `type` and returns what it returns.
template <class Visit>
auto with_float_type(FloatType type, Visit visit) {
  if (type == FloatType::kBfloat16) return visit(Bfloat16());
  if (type == FloatType::kFloat16) return visit(Float16());
  return visit(float());
}

}  // namespace samebits::kernels
