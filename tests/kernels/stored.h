// Tensors of any float type for tests: encoded and decoded by the oracle, never by
// kernels/common/float_type.h.
#pragma once

#include <vector>

#include "kernels/common/float_type.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

struct StoredType {
  const char* name;
  FloatType type;
  std::int64_t bytes;
};
inline constexpr StoredType kStoredTypes[] = {{"float32", FloatType::kFloat32, 4},
                                              {"bfloat16", FloatType::kBfloat16, 2},
                                              {"float16", FloatType::kFloat16, 2}};

inline const oracle::Format16& format_of(FloatType type) {
  return type == FloatType::kBfloat16 ? oracle::kBfloat16 : oracle::kFloat16;
}

using Bytes = std::vector<std::uint8_t>;

/// The bytes of n values of `type`, each rounded to it. A NaN becomes a signalling one, the hardest.
inline Bytes encoded(const std::vector<float>& values, FloatType type) {
  Bytes bytes;
  for (const float value : values) {
    std::uint8_t element[4];
    std::int64_t size = 4;
    std::memcpy(element, &value, 4);
    if (type != FloatType::kFloat32) {
      const int nan = format_of(type).infinity() | 1;
      const auto bits =
          std::isnan(value) ? static_cast<std::uint16_t>(nan) : oracle::encode(value, format_of(type));
      std::memcpy(element, &bits, size = 2);
    }
    bytes.insert(bytes.end(), element, element + size);
  }
  return bytes;
}

/// The reals of `bytes`.
inline std::vector<float> decoded(const Bytes& bytes, FloatType type) {
  std::vector<float> values(bytes.size() / (type == FloatType::kFloat32 ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == FloatType::kFloat32) {
      std::memcpy(&values[i], &bytes[4 * i], 4);
    } else {
      std::uint16_t bits;
      std::memcpy(&bits, &bytes[2 * i], 2);
      values[i] = static_cast<float>(oracle::decode(bits, format_of(type)));
    }
  }
  return values;
}

/// Every pattern of a 16-bit type.
inline Bytes all_patterns() {
  Bytes bytes;
  for (int bits = 0; bits < 0x10000; ++bits) {
    bytes.push_back(static_cast<std::uint8_t>(bits));
    bytes.push_back(static_cast<std::uint8_t>(bits >> 8));
  }
  return bytes;
}

}  // namespace samebits::kernels
