// Codes of 4 or 8 bits in int32 words, as `pack-quantized` of compressed-tensors has them: the first
// code of a row in the lowest bits, each as code + 2^(bits - 1), padding 0.
#pragma once

#include <cstdint>
#include <vector>

namespace samebits {

constexpr std::int64_t word_count(std::int64_t codes, int bits) {
  return (codes * bits + 31) / 32;
}

/// Codes [rows][columns] as [rows][word_count(columns)].
std::vector<std::int32_t> pack_words(const std::vector<std::int8_t>& codes, std::int64_t columns, int bits);
/// The codes of words [rows][word_count(columns)].
std::vector<std::int8_t> unpack_words(const std::vector<std::int32_t>& words, std::int64_t rows,
                                      std::int64_t columns, int bits);

/// values[rows][columns] as [columns][rows].
std::vector<std::int8_t> transposed(const std::vector<std::int8_t>& values, std::int64_t columns);
std::vector<std::int32_t> transposed(const std::vector<std::int32_t>& values, std::int64_t columns);

}  // namespace samebits
