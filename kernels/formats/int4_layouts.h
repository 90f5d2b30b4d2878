// How 4-bit (and Q8_0's 8-bit) codes stand in other programs' files: compressed-tensors'
// `pack-quantized` and GGUF's Q4_0, Q4_1 and Q8_0. Row-major nibbles, which ONNX's int4 and uint4 use,
// are kernels/formats/pack_int4.h. Plain loops: this runs once an export or a load. Little-endian, as
// the formats are. Round trips are exact.
#pragma once

#include <cstdint>

namespace samebits::kernels {

/// compressed-tensors `pack-quantized`: an int32 holds eight codes of a row, the first in the lowest four
/// bits, each as code + 8. Padding bits of a row's last word are 0.
constexpr std::int64_t compressed_tensors_words(std::int64_t columns) {
  return (columns + 7) / 8;
}

/// Codes [rows][columns] of [-8, 7] as weight_packed [rows][ceil(columns / 8)].
void pack_compressed_tensors(const std::int8_t* codes, std::int64_t rows, std::int64_t columns,
                             std::int32_t* packed);
void unpack_compressed_tensors(const std::int32_t* packed, std::int64_t rows, std::int64_t columns,
                               std::int8_t* codes);

/// Zero points [rows][columns] (a row an output channel, a column a group) as weight_zero_point
/// [ceil(rows / 8)][columns]: the same words, along rows.
void pack_compressed_tensors_zero_points(const std::int8_t* zero_points, std::int64_t rows,
                                         std::int64_t columns, std::int32_t* packed);
void unpack_compressed_tensors_zero_points(const std::int32_t* packed, std::int64_t rows,
                                           std::int64_t columns, std::int8_t* zero_points);

/// GGUF blocks of 32 consecutive codes of a row: a float16 scale d, then the codes. Reals are code * d.
constexpr std::int64_t kGgufBlock = 32;
constexpr std::int64_t kQ40Bytes = 18, kQ41Bytes = 20, kQ80Bytes = 34;  // of a block

/// Q4_0: byte j of a block's 16 holds code j + 8 in the low nibble and code j + 16, + 8, in the high one.
/// Codes [blocks][32] of [-8, 7], scale [blocks]. Returns `blocks`; or the index of the first block whose
/// scale no finite float16 equals, and writes no block from there on.
std::int64_t pack_q4_0(const std::int8_t* codes, const float* scale, std::int64_t blocks,
                       std::uint8_t* packed);
void unpack_q4_0(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale);

/// Q4_1: d, a float16 minimum m, and the bytes of Q4_0. Reals are (code + 8) * d + m, so that m is
/// -(zero_point + 8) * d. Codes of [-8, 7], scale and zero_point [blocks]. Returns as pack_q4_0(),
/// also for a minimum that no finite float16 equals.
std::int64_t pack_q4_1(const std::int8_t* codes, const float* scale, const std::int32_t* zero_point,
                       std::int64_t blocks, std::uint8_t* packed);
/// Returns `blocks`; or the index of the first block whose minimum is of no zero point in [-8, 7].
std::int64_t unpack_q4_1(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale,
                         std::int32_t* zero_point);

/// Q8_0: 32 int8. Otherwise as Q4_0.
std::int64_t pack_q8_0(const std::int8_t* codes, const float* scale, std::int64_t blocks,
                       std::uint8_t* packed);
void unpack_q8_0(const std::uint8_t* packed, std::int64_t blocks, std::int8_t* codes, float* scale);

}  // namespace samebits::kernels
