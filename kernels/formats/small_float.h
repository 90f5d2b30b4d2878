// The small float formats: what a code means and which code a float gets. The one place with this formula for
// single values, on host and device, in integer arithmetic. Formats, special values and sources:
// docs/reference/formats.md.
#pragma once

#include <cstdint>

#include "kernels/common/float_type.h"
#include "kernels/common/host_device.h"

namespace samebits::kernels {

/// A code is sign, exponent and mantissa from the highest bit down, in the low 1 + exponent_bits +
/// mantissa_bits bits of a byte. Exponent field 0: mantissa * 2^(1 - bias - mantissa_bits), else (1 +
/// mantissa / 2^mantissa_bits) * 2^(field - bias). Codes above largest_code, without the sign, are infinity
/// (infinity_code) or NaN.
struct SmallFloat {
  std::int32_t exponent_bits, mantissa_bits, bias;
  std::int32_t largest_code;   // of the finite magnitudes
  std::int32_t infinity_code;  // 0: the format has none
  std::int32_t nan_code;       // 0: the format has none
  friend bool operator==(const SmallFloat&, const SmallFloat&) = default;

  constexpr std::int32_t sign_code() const { return 1 << (exponent_bits + mantissa_bits); }
  /// floor(log2(the largest finite value)).
  constexpr std::int32_t largest_exponent() const { return (largest_code >> mantissa_bits) - bias; }
};

inline constexpr SmallFloat kFloat8E4M3{4, 3, 7, 0x7E, 0, 0x7F};      // largest 448
inline constexpr SmallFloat kFloat8E5M2{5, 2, 15, 0x7B, 0x7C, 0x7F};  // largest 57344
inline constexpr SmallFloat kFloat6E2M3{2, 3, 1, 0x1F, 0, 0};         // largest 7.5
inline constexpr SmallFloat kFloat6E3M2{3, 2, 3, 0x1F, 0, 0};         // largest 28
inline constexpr SmallFloat kFloat4E2M1{2, 1, 1, 0x07, 0, 0};         // largest 6

/// What becomes of a value that rounds beyond the largest: the largest, or infinity where the format has one,
/// else NaN. kToSpecial needs a format with a NaN.
enum class Overflow : std::uint8_t { kSaturate, kToSpecial };

/// The NaN that every implementation writes, whatever NaN it met: hardware keeps payload and sign, or does
/// not.
constexpr std::uint32_t kNaNBits = 0x7FC00000u;

/// The code of |v| rounded to nearest, ties to even, as if the format had no largest value: it overflows
/// above largest_code. v is no NaN.
SAMEBITS_HOST_DEVICE inline std::int32_t unbounded_code(float v, const SmallFloat& format) {
  const std::uint32_t magnitude = float_bits(v) & 0x7FFFFFFFu;
  const std::int32_t exponent = static_cast<std::int32_t>(magnitude >> 23);  // with float32's bias
  const std::int32_t least_exponent = 128 - format.bias;                     // of the format's normal values
  const std::int32_t dropped = 23 - format.mantissa_bits;
  const bool is_normal = exponent >= least_exponent;
  const std::int32_t shift = is_normal ? dropped : dropped + least_exponent - exponent;
  if (shift > 24) return 0;  // less than half of the smallest value
  const std::uint32_t kept = is_normal ? magnitude : ((magnitude & 0x7FFFFFu) | 0x800000u);
  const std::uint32_t odd = kept >> shift & 1u;
  const std::uint32_t rounded = (kept + (1u << (shift - 1)) - 1u + odd) >> shift;
  const std::int32_t rebias = is_normal ? (least_exponent - 1) << format.mantissa_bits : 0;
  return static_cast<std::int32_t>(rounded) - rebias;
}

/// Whether the gradient stops here: v rounds beyond the largest value. True for NaN.
SAMEBITS_HOST_DEVICE inline bool is_overflow(float v, const SmallFloat& format) {
  return v != v || unbounded_code(v, format) > format.largest_code;
}

/// The code of v. NaN, of either sign, gives nan_code, and 0 where the format has none. -0 keeps its sign.
SAMEBITS_HOST_DEVICE inline std::uint8_t encode_small_float(float v, const SmallFloat& format,
                                                            Overflow overflow) {
  if (v != v) return static_cast<std::uint8_t>(format.nan_code);
  std::int32_t code = unbounded_code(v, format);
  if (code > format.largest_code) {
    if (overflow == Overflow::kSaturate)
      code = format.largest_code;
    else if (format.infinity_code != 0)
      code = format.infinity_code;
    else
      return static_cast<std::uint8_t>(format.nan_code);
  }
  const std::int32_t sign = float_bits(v) >> 31 != 0 ? format.sign_code() : 0;
  return static_cast<std::uint8_t>(sign | code);
}

/// The value of a code, exact; bits above the format's are ignored. Every NaN code gives kNaNBits.
SAMEBITS_HOST_DEVICE inline float decode_small_float(std::uint8_t code, const SmallFloat& format) {
  const std::uint32_t sign = (code & format.sign_code()) != 0 ? 0x80000000u : 0u;
  const std::int32_t magnitude = code & (format.sign_code() - 1);
  const std::int32_t dropped = 23 - format.mantissa_bits;
  if (magnitude > format.largest_code)
    return float_of_bits(magnitude == format.infinity_code ? sign | 0x7F800000u : kNaNBits);
  if (magnitude >> format.mantissa_bits == 0) {
    const std::int32_t unit_exponent = 128 - format.bias - format.mantissa_bits;
    const float unit = float_of_bits(static_cast<std::uint32_t>(unit_exponent) << 23);
    return float_of_bits(sign | float_bits(static_cast<float>(magnitude) * unit));
  }
  const std::uint32_t rebias = static_cast<std::uint32_t>(127 - format.bias) << 23;
  return float_of_bits(sign | ((static_cast<std::uint32_t>(magnitude) << dropped) + rebias));
}

}  // namespace samebits::kernels
