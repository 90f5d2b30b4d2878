// kernels/formats/pack_int4.h as plain loops; the packing for gemm_int4.h takes eight codes at a time as
// words, and a cache line of a column at a time: columns whose length is a power of two share a cache set.
#include "kernels/formats/reference/pack_int4.h"

#include <algorithm>
#include <cstring>

namespace samebits::kernels {
namespace {

constexpr std::int64_t kLinesAtOnce = 64 / Int4Shape::kLineDepth;  // a cache line of each column

/// Up to eight codes as a word of levels: the first four in the low nibbles. Codes past `count` are level 0.
std::uint32_t packed_word(const std::int8_t* codes, std::int64_t count, std::uint32_t flip) {
  std::uint32_t low = 0, high = 0;
  if (count >= 8) {
    std::memcpy(&low, codes, 4);
    std::memcpy(&high, codes + 4, 4);
    return ((low ^ flip) & 0x0F0F0F0Fu) | ((high ^ flip) & 0x0F0F0F0Fu) << 4;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t level = (static_cast<std::uint32_t>(codes[i]) ^ flip) & 0xFu;
    (i < 4 ? low : high) |= level << 8 * (i % 4);
  }
  return low | high << 4;
}

/// `lines` lines: `columns` columns, `stride` codes apart, with `count` codes left in the group.
void pack_lines(const std::int8_t* codes, std::int64_t stride, std::int64_t columns, std::int64_t count,
                std::uint32_t flip, std::int64_t lines, std::uint8_t* to) {
  if (columns < Int4Shape::kColumns) std::memset(to, 0, lines * Int4Shape::kLineBytes);
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t line = 0; line < lines; ++line) {
      const std::int64_t first = Int4Shape::kLineDepth * line;
      const std::uint32_t word = packed_word(codes + c * stride + first, count - first, flip);
      std::memcpy(to + line * Int4Shape::kLineBytes + 4 * c, &word, sizeof word);
    }
  }
}

/// `pack(column, block, lane)` for every column of the blocks of [begin, end), those past n too.
template <class Pack>
void for_each_column(const Int4Shape& shape, std::int64_t begin, std::int64_t end, const Pack& pack) {
  const std::int64_t last = (std::min(end, shape.n) + Int4Shape::kColumns - 1) / Int4Shape::kColumns;
  for (std::int64_t block = begin / Int4Shape::kColumns; block < last; ++block)
    for (std::int64_t lane = 0; lane < Int4Shape::kColumns; ++lane)
      pack(block * Int4Shape::kColumns + lane, block, lane);
}

}  // namespace

void unpack_uint4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes) {
  for (std::int64_t i = 0; i < n; ++i)
    codes[i] = static_cast<std::int8_t>(packed[i / 2] >> (i % 2 * 4) & 0xF);
}

void pack_gemm_int4(const Int4Shape& shape, const std::int8_t* codes, std::int32_t qmin, std::uint8_t* packed,
                    std::int64_t begin, std::int64_t end) {
  // code - qmin (mod 16): -8 flips a nibble's high bit.
  const std::uint32_t flip = qmin == 0 ? 0u : 0x08080808u;
  const std::int64_t last = (std::min(end, shape.n) + Int4Shape::kColumns - 1) / Int4Shape::kColumns;
  for (std::int64_t block = begin / Int4Shape::kColumns; block < last; ++block) {
    const std::int64_t column = block * Int4Shape::kColumns,
                       columns = std::min(Int4Shape::kColumns, shape.n - column);
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      const std::int8_t* from = codes + column * shape.k + group * shape.depth();
      std::uint8_t* to = packed + shape.line_offset(block, group);
      for (std::int64_t line = 0; line < shape.lines(); line += kLinesAtOnce)
        pack_lines(from + Int4Shape::kLineDepth * line, shape.k, columns,
                   shape.depth_of(group) - Int4Shape::kLineDepth * line, flip,
                   std::min(kLinesAtOnce, shape.lines() - line), to + line * Int4Shape::kLineBytes);
    }
  }
}

void pack_gemm_int4_scales(const Int4Shape& shape, const float* scale, float* packed, std::int64_t begin,
                           std::int64_t end) {
  for_each_column(shape, begin, end, [&](std::int64_t column, std::int64_t block, std::int64_t lane) {
    for (std::int64_t group = 0; group < shape.groups(); ++group)
      packed[shape.term_offset(block, group) + lane] =
          column < shape.n ? scale[column * shape.groups() + group] : 0.0f;
  });
}

void pack_gemm_int4_zero_points(const Int4Shape& shape, const std::int32_t* zero_point, std::int32_t qmin,
                                std::uint8_t* packed, std::int64_t begin, std::int64_t end) {
  for_each_column(shape, begin, end, [&](std::int64_t column, std::int64_t block, std::int64_t lane) {
    for (std::int64_t group = 0; group < shape.groups(); ++group)
      packed[shape.term_offset(block, group) + lane] = static_cast<std::uint8_t>(
          column < shape.n ? zero_point[column * shape.groups() + group] - qmin : 0);
  });
}

namespace reference {

void pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed) {
  for (std::int64_t byte = 0; byte < packed_int4_bytes(n); ++byte) {
    const unsigned low = static_cast<unsigned>(codes[2 * byte]) & 0xFu;
    const unsigned high = 2 * byte + 1 < n ? static_cast<unsigned>(codes[2 * byte + 1]) & 0xFu : 0u;
    packed[byte] = static_cast<std::uint8_t>(low | high << 4);
  }
}

void unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes) {
  for (std::int64_t i = 0; i < n; ++i) {
    const int nibble = packed[i / 2] >> (i % 2 * 4) & 0xF;
    codes[i] = static_cast<std::int8_t>(nibble >= 8 ? nibble - 16 : nibble);
  }
}

}  // namespace reference
}  // namespace samebits::kernels
