// The small float formats beside their definitions in the oracle, and inputs that show their rounding. Shared
// by the tests of small_float, fake_quantize_small_float and mx.
#pragma once

#include <vector>

#include "kernels/formats/small_float.h"
#include "tests/format_oracle.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {

struct FormatCase {
  const char* name;
  SmallFloat format;
  oracle::SmallFloat definition;
};
inline const FormatCase kFormats[] = {
    {"E4M3", kFloat8E4M3, oracle::kE4M3}, {"E5M2", kFloat8E5M2, oracle::kE5M2},
    {"E2M3", kFloat6E2M3, oracle::kE2M3}, {"E3M2", kFloat6E3M2, oracle::kE3M2},
    {"E2M1", kFloat4E2M1, oracle::kE2M1},
};

/// What a format can do with an overflow.
inline std::vector<Overflow> overflows_of(const FormatCase& c) {
  if (c.format.nan_code == 0) return {Overflow::kSaturate};
  return {Overflow::kSaturate, Overflow::kToSpecial};
}

/// Every value, every midpoint, the tie beyond the largest, both signs, with their neighbours; and special
/// values.
inline std::vector<float> hard_values_of(const FormatCase& c) {
  std::vector<float> values = special_values();
  for (int code = 0; code <= c.definition.largest_code; ++code) {
    const double value = c.definition.magnitude(code),
                 midpoint = (value + c.definition.magnitude(code + 1)) / 2;
    for (const double v : {value, -value, midpoint, -midpoint})
      push_neighbours(static_cast<float>(v), 2, values);
  }
  return values;
}

/// The bytes of results in a 16-bit type, each rounded to it; NaN is the one that kernels write.
inline Bytes encoded_results(const std::vector<float>& values, FloatType type) {
  Bytes bytes = encoded(values, type);
  const std::uint16_t nan = type == FloatType::kBfloat16 ? 0x7FC0 : 0x7E00;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) std::memcpy(&bytes[2 * i], &nan, 2);
  return bytes;
}

/// The types of 16 bits.
inline const StoredType kShortTypes[] = {kStoredTypes[1], kStoredTypes[2]};

}  // namespace samebits::kernels
