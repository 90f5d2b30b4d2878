// Four bits have a kernel (kernels/formats/int4_layouts.h); eight are bytes, moved to begin at 0.
#include "export/compressed_tensors/packed_words.h"

#include "kernels/formats/int4_layouts.h"

namespace samebits {
namespace {

template <class T>
std::vector<T> transpose(const std::vector<T>& values, std::int64_t columns) {
  const std::int64_t rows = columns == 0 ? 0 : std::ssize(values) / columns;
  std::vector<T> result(values.size());
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column)
      result[column * rows + row] = values[row * columns + column];
  return result;
}

}  // namespace

std::vector<std::int32_t> pack_words(const std::vector<std::int8_t>& codes, std::int64_t columns, int bits) {
  const std::int64_t rows = std::ssize(codes) / columns, words = word_count(columns, bits);
  std::vector<std::int32_t> packed(static_cast<std::size_t>(rows * words));
  if (bits == 4) {
    kernels::pack_compressed_tensors(codes.data(), rows, columns, packed.data());
    return packed;
  }
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const auto level = static_cast<std::uint32_t>(codes[i] + 128);
    std::int32_t& word = packed[i / columns * words + i % columns / 4];
    word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | level << (8 * (i % columns % 4)));
  }
  return packed;
}

std::vector<std::int8_t> unpack_words(const std::vector<std::int32_t>& words, std::int64_t rows,
                                      std::int64_t columns, int bits) {
  std::vector<std::int8_t> codes(static_cast<std::size_t>(rows * columns));
  if (bits == 4) {
    kernels::unpack_compressed_tensors(words.data(), rows, columns, codes.data());
    return codes;
  }
  const std::int64_t row_words = word_count(columns, bits);
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const auto word = static_cast<std::uint32_t>(words[i / columns * row_words + i % columns / 4]);
    codes[i] = static_cast<std::int8_t>(static_cast<int>(word >> (8 * (i % columns % 4)) & 0xFF) - 128);
  }
  return codes;
}

std::vector<std::int8_t> transposed(const std::vector<std::int8_t>& values, std::int64_t columns) {
  return transpose(values, columns);
}
std::vector<std::int32_t> transposed(const std::vector<std::int32_t>& values, std::int64_t columns) {
  return transpose(values, columns);
}

}  // namespace samebits
