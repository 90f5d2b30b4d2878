// Codebooks, small floats and MX blocks written a second time, from docs/reference/formats.md and with
// nothing of kernels/: all representable values are listed, and the nearest one is searched for in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/oracle.h"

namespace samebits::oracle {

/// The index of the nearest of ascending values, ties to the even index. Exact where a sum of two values fits
/// the 64 bits of a long double.
inline int nearest_index(float v, const std::vector<float>& values) {
  const long double doubled = 2.0L * v;
  int best = 0;
  for (int j = 1; j < static_cast<int>(values.size()); ++j) {
    const long double sum = static_cast<long double>(values[best]) + values[j];
    if (doubled > sum || (doubled == sum && j % 2 == 0)) best = j;
  }
  return best;
}

/// A sign, `exponent_bits` and `mantissa_bits`; value (1 + mantissa / 2^mantissa_bits) * 2^(exponent - bias),
/// without the 1 and with exponent 1 where the exponent field is 0.
struct SmallFloat {
  int exponent_bits, mantissa_bits, bias;
  int largest_code;   // of the finite ones, without the sign
  int infinity_code;  // 0: none
  int nan_code;       // what a NaN is encoded as; 0: none

  int sign_code() const { return 1 << (exponent_bits + mantissa_bits); }
  /// Of a code without the sign that is finite, or the first beyond the largest.
  double magnitude(int code) const {
    const int exponent = code >> mantissa_bits, mantissa = code & ((1 << mantissa_bits) - 1);
    const double fraction = std::ldexp(mantissa, -mantissa_bits);
    return exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  }
  double largest() const { return magnitude(largest_code); }
};

inline constexpr SmallFloat kE4M3{4, 3, 7, 0x7E, 0, 0x7F};
inline constexpr SmallFloat kE5M2{5, 2, 15, 0x7B, 0x7C, 0x7F};
inline constexpr SmallFloat kE2M3{2, 3, 1, 0x1F, 0, 0};
inline constexpr SmallFloat kE3M2{3, 2, 3, 0x1F, 0, 0};
inline constexpr SmallFloat kE2M1{2, 1, 1, 0x07, 0, 0};

/// What a code stands for, by the definition.
inline double decode(int code, const SmallFloat& format) {
  const int magnitude_code = code & (format.sign_code() - 1);
  const double sign = code >= format.sign_code() ? -1.0 : 1.0;
  if (magnitude_code <= format.largest_code) return sign * format.magnitude(magnitude_code);
  if (magnitude_code == format.infinity_code) return sign * std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

struct SmallFloatCode {
  int code;
  bool clipped, is_nan;
};

/// A search among all magnitudes and the first beyond the largest; landing there is an overflow.
class SmallFloatSearch {
 public:
  explicit SmallFloatSearch(const SmallFloat& format) : format_(format) {
    for (int code = 0; code <= format.largest_code + 1; ++code) magnitudes_.push_back(format.magnitude(code));
  }
  SmallFloatCode encode(double v, bool saturate) const {
    if (std::isnan(v)) return {format_.nan_code, true, true};
    const int sign = std::signbit(v) ? format_.sign_code() : 0;
    const int nearest = nearest_magnitude(std::fabs(v));
    if (nearest <= format_.largest_code) return {sign | nearest, false, false};
    if (saturate) return {sign | format_.largest_code, true, false};
    if (format_.infinity_code != 0) return {sign | format_.infinity_code, true, false};
    return {format_.nan_code, true, true};
  }

 private:
  int nearest_magnitude(double v) const {
    const auto above = std::lower_bound(magnitudes_.begin(), magnitudes_.end(), v);
    if (above == magnitudes_.end()) return format_.largest_code + 1;
    const int high = static_cast<int>(above - magnitudes_.begin());
    if (high == 0) return 0;
    const double to_low = v - magnitudes_[high - 1], to_high = magnitudes_[high] - v;
    if (to_low != to_high) return to_low < to_high ? high - 1 : high;
    return high % 2 == 0 ? high : high - 1;
  }
  SmallFloat format_;
  std::vector<double> magnitudes_;
};

}  // namespace samebits::oracle
