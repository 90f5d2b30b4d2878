// Sums of products of bfloat16 numbers in float32: the matrix multiplications of backward in mode `bf16`.
// Operands are packed by pack_bf16.h; the output is plain row-major float32.
#pragma once

#include <cstdint>

#include "kernels/common/bf16.h"
#include "kernels/common/kernel.h"
#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {

/// Every size of a packed operand is padded to this with zeros, so that all tiles are whole.
constexpr std::int64_t kBf16Block = 32;
constexpr std::int64_t padded_bf16(std::int64_t size) {
  return (size + kBf16Block - 1) / kBf16Block * kBf16Block;
}
/// Elements of a packed operand of `lines` rows (a) or columns (b).
constexpr std::int64_t packed_bf16_size(std::int64_t lines, std::int64_t depth) {
  return padded_bf16(lines) * padded_bf16(depth);
}

/// Layout of a packed a: [padded rows / 16][padded depth / 32][16][32]. 16 rows of 32 depths are 1 KiB in one
/// piece.
constexpr std::int64_t packed_bf16_a_index(std::int64_t row, std::int64_t d, std::int64_t depth) {
  return (row / 16 * (padded_bf16(depth) / 32) + d / 32) * 512 + row % 16 * 32 + d % 32;
}
/// Layout of a packed b: [padded columns / 16][padded depth / 2][16][2]. Pairs of depths stand side by side.
constexpr std::int64_t packed_bf16_b_index(std::int64_t d, std::int64_t column, std::int64_t depth) {
  return (column / 16 * (padded_bf16(depth) / 2) + d / 2) * 32 + column % 16 * 2 + d % 2;
}

/// output[row][column] = scale * sum over d < depth of a[row][d] * b[d][column].
struct GemmBf16Args {
  const Bf16* a;  // packed, 64-byte aligned
  const Bf16* b;  // packed, 64-byte aligned
  std::int64_t rows, columns, depth;
  float scale = 1.0f;
  /// Null, or ceil(rows * columns / 8) bytes: +0 where bit i % 8 of byte i / 8 is 1, i = row * columns +
  /// column.
  const std::uint8_t* clip_mask = nullptr;
  bool accumulate = false;     // add the value, scaled and masked, to what output holds
  float* output;               // of any alignment
  std::int64_t output_stride;  // elements between two rows
};

/// One region of the output; its begins are multiples of kBf16Block, its ends may lie anywhere. Regions never
/// split the depth, so that threads share a call by disjoint ones and the bits do not depend on the cut. Each
/// implementation sums in an order of its own: sums that float32 holds exactly are the same everywhere,
/// others differ within depth + 1 roundings (docs/numerics.md §6). Denormal products may count as 0. Does not
/// allocate or throw.
extern const Kernel<void(const GemmBf16Args& args, const GemmRegion& region)> gemm_bf16;

/// Part `part` of `parts` of an output: a cut along its longer side. Parts may be empty.
GemmRegion gemm_bf16_region(std::int64_t rows, std::int64_t columns, std::int64_t part, std::int64_t parts);

}  // namespace samebits::kernels
