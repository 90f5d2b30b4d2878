#include "kernels/formats/int4_layouts.h"

#include <cmath>
#include <cstring>

#include "kernels/common/float_type.h"

namespace samebits::kernels {
namespace {

/// Writes the scale of a block, if a float16 can hold it.
bool store_scale(float scale, std::uint8_t* to) {
  const Float16 nearest = to_float16(scale);
  if (!std::isfinite(scale) || to_float(nearest) != scale) return false;
  const std::uint16_t bits = nearest.bits;
  to[0] = static_cast<std::uint8_t>(bits & 0xFF);
  to[1] = static_cast<std::uint8_t>(bits >> 8);
  return true;
}

float load_scale(const std::uint8_t* from) {
  return to_float(Float16{static_cast<std::uint16_t>(from[0] | from[1] << 8)});
}

/// code + 8, of codes [-8, 7].
unsigned level_of(std::int8_t code) {
  return static_cast<unsigned>(code + 8) & 0xFu;
}
std::int8_t code_of(unsigned level) {
  return static_cast<std::int8_t>(static_cast<int>(level & 0xFu) - 8);
}

/// Up to eight of `count` codes, `step` apart, as a word.
std::int32_t packed_word(const std::int8_t* codes, std::int64_t step, std::int64_t count) {
  std::uint32_t bits = 0;
  for (std::int64_t i = 0; i < 8 && i < count; ++i) bits |= level_of(codes[i * step]) << 4 * i;
  return static_cast<std::int32_t>(bits);
}
std::int8_t code_in(std::int32_t word, std::int64_t place) {
  return code_of(static_cast<std::uint32_t>(word) >> 4 * place);
}

}  // namespace

void pack_compressed_tensors(const std::int8_t* codes, std::int64_t rows, std::int64_t columns,
                             std::int32_t* packed) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t word = 0; word < compressed_tensors_words(columns); ++word)
      *packed++ = packed_word(codes + row * columns + 8 * word, 1, columns - 8 * word);
}

void unpack_compressed_tensors(const std::int32_t* packed, std::int64_t rows, std::int64_t columns,
                               std::int8_t* codes) {
  const std::int64_t words = compressed_tensors_words(columns);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < columns; ++i) *codes++ = code_in(packed[row * words + i / 8], i % 8);
}

void pack_compressed_tensors_zero_points(const std::int8_t* zero_points, std::int64_t rows,
                                         std::int64_t columns, std::int32_t* packed) {
  for (std::int64_t word = 0; word < compressed_tensors_words(rows); ++word)
    for (std::int64_t i = 0; i < columns; ++i)
      *packed++ = packed_word(zero_points + 8 * word * columns + i, columns, rows - 8 * word);
}

void unpack_compressed_tensors_zero_points(const std::int32_t* packed, std::int64_t rows,
                                           std::int64_t columns, std::int8_t* zero_points) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < columns; ++i)
      *zero_points++ = code_in(packed[row / 8 * columns + i], row % 8);
}

namespace {

/// The 16 bytes of a block's levels.
void store_levels(const std::int8_t* codes, std::uint8_t* to) {
  for (std::int64_t j = 0; j < kGgufBlock / 2; ++j)
    to[j] = static_cast<std::uint8_t>(level_of(codes[j]) | level_of(codes[j + kGgufBlock / 2]) << 4);
}
void load_levels(const std::uint8_t* from, std::int8_t* codes) {
  for (std::int64_t j = 0; j < kGgufBlock / 2; ++j) {
    codes[j] = code_of(from[j]);
    codes[j + kGgufBlock / 2] = code_of(from[j] >> 4);
  }
}

}  // namespace

std::int64_t pack_q4_0(const std::int8_t* codes, const float* scale, std::int64_t blocks,
                       std::uint8_t* packed) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::uint8_t* to = packed + block * kQ40Bytes;
    if (!store_scale(scale[block], to)) return block;
    store_levels(codes + block * kGgufBlock, to + 2);
  }
  return blocks;
}

void unpack_q4_0(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::uint8_t* from = packed + block * kQ40Bytes;
    scale[block] = load_scale(from);
    load_levels(from + 2, codes + block * kGgufBlock);
  }
}

std::int64_t pack_q4_1(const std::int8_t* codes, const float* scale, const std::int32_t* zero_point,
                       std::int64_t blocks, std::uint8_t* packed) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::uint8_t* to = packed + block * kQ41Bytes;
    // Of a scale that float16 holds the product is exact.
    const float minimum = static_cast<float>(-(zero_point[block] + 8)) * scale[block];
    std::uint8_t grid[4];
    if (!store_scale(scale[block], grid) || !store_scale(minimum, grid + 2)) return block;
    std::memcpy(to, grid, sizeof(grid));
    store_levels(codes + block * kGgufBlock, to + 4);
  }
  return blocks;
}

std::int64_t unpack_q4_1(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale,
                         std::int32_t* zero_point) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::uint8_t* from = packed + block * kQ41Bytes;
    const float minimum = load_scale(from + 2);
    scale[block] = load_scale(from);
    std::int32_t found = -8;
    while (found < 8 && static_cast<float>(-(found + 8)) * scale[block] != minimum) ++found;
    if (found == 8) return block;
    zero_point[block] = found;
    load_levels(from + 4, codes + block * kGgufBlock);
  }
  return blocks;
}

std::int64_t pack_q8_0(const std::int8_t* codes, const float* scale, std::int64_t blocks,
                       std::uint8_t* packed) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::uint8_t* to = packed + block * kQ80Bytes;
    if (!store_scale(scale[block], to)) return block;
    std::memcpy(to + 2, codes + block * kGgufBlock, kGgufBlock);
  }
  return blocks;
}

void unpack_q8_0(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::uint8_t* from = packed + block * kQ80Bytes;
    scale[block] = load_scale(from);
    std::memcpy(codes + block * kGgufBlock, from + 2, kGgufBlock);
  }
}

}  // namespace samebits::kernels
