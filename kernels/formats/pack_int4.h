// Two 4-bit codes a byte: row-major, as INT4 weights are stored and exported, and in the order that
// gemm_int4.h reads.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

constexpr std::int64_t packed_int4_bytes(std::int64_t n) {
  return (n + 1) / 2;
}

/// Packs n codes of [-8, 7] as two's-complement nibbles, the first in the low one; an odd last high nibble is
/// 0. Codes 0..15 are packed as well: their nibbles are the codes.
extern const Kernel<void(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed)> pack_int4;

/// The n codes back, sign-extended.
extern const Kernel<void(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes)> unpack_int4;

/// The n codes back as 0..15.
void unpack_uint4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes);

/// A weight matrix of n columns (output channels) and depth k, as gemm_int4.h packs it. A *level* is
/// code - qmin, 0..15. Columns stand in blocks of 16, and each group of a block in lines of 64 bytes:
/// byte 4 * c + j of line l holds column c's levels 8 * l + j of the group in the low nibble and 8 * l + 4 +
/// j in the high one. So a line, masked and shifted, is two registers of 16 quads. Padding (columns past n,
/// the end of a group that is no multiple of 8) is level 0.
struct Int4Shape {
  static constexpr std::int64_t kColumns = 16, kLineDepth = 8, kLineBytes = 64;

  std::int64_t n, k;
  std::int64_t group_size = 0;  // a multiple of 4; the last group may be short. 0: one group, of k

  constexpr std::int64_t depth() const { return group_size == 0 ? k : group_size; }
  constexpr std::int64_t groups() const { return group_size == 0 ? 1 : (k + group_size - 1) / group_size; }
  constexpr std::int64_t blocks() const { return (n + kColumns - 1) / kColumns; }
  /// Lines of a group; a short last one has as many.
  constexpr std::int64_t lines() const { return (depth() + kLineDepth - 1) / kLineDepth; }
  /// How many k belong to `group`.
  constexpr std::int64_t depth_of(std::int64_t group) const {
    return group + 1 < groups() ? depth() : k - group * depth();
  }
  /// Where a block's group begins, in bytes, and how long the whole is.
  constexpr std::int64_t line_offset(std::int64_t block, std::int64_t group) const {
    return (block * groups() + group) * lines() * kLineBytes;
  }
  constexpr std::int64_t packed_bytes() const { return line_offset(blocks(), 0); }
  /// Where the 16 terms (scales, zero points) of a block's group begin, and how many there are:
  /// [blocks][groups][16].
  constexpr std::int64_t term_offset(std::int64_t block, std::int64_t group) const {
    return (block * groups() + group) * kColumns;
  }
  constexpr std::int64_t terms() const { return term_offset(blocks(), 0); }
};

/// Columns [begin, end), begin a multiple of 16, of row-major codes [n][k]: one int8 a code, of
/// [qmin, qmin + 15], qmin -8 or 0. Writes whole blocks.
void pack_gemm_int4(const Int4Shape& shape, const std::int8_t* codes, std::int32_t qmin, std::uint8_t* packed,
                    std::int64_t begin, std::int64_t end);

/// Scales [n][groups] into the order of terms; padding is 0.
void pack_gemm_int4_scales(const Int4Shape& shape, const float* scale, float* packed, std::int64_t begin,
                           std::int64_t end);

/// Zero points [n][groups], of [qmin, qmin + 15], as levels in the order of terms.
void pack_gemm_int4_zero_points(const Int4Shape& shape, const std::int32_t* zero_point, std::int32_t qmin,
                                std::uint8_t* packed, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
