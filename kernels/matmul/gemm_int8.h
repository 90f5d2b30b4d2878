// Exact int32 sums of products of int8 codes, and what becomes of each sum while it is still in registers:
// the matrix multiplication below linear and conv2d.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/kernel.h"
#include "kernels/matmul/epilogue.h"

namespace samebits::kernels {

/// Layout of a packed b, the same for every implementation: [padded_columns(n) / 16][padded_depth(k) /
/// 4][16][4] codes: blocks of 16 columns, in which the quads (4 consecutive k) of the 16 columns stand side
/// by side. AMX, VNNI and NEON's sdot read it as it is; the others widen it. Padding is 0.
constexpr std::int64_t kColumnBlock = 16, kDepthBlock = 64;
constexpr std::int64_t padded_columns(std::int64_t n) {
  return (n + kColumnBlock - 1) / kColumnBlock * kColumnBlock;
}
/// A whole number of AMX tiles.
constexpr std::int64_t padded_depth(std::int64_t k) {
  return (k + kDepthBlock - 1) / kDepthBlock * kDepthBlock;
}
/// Bytes of a packed matrix of n rows and k columns. Nothing is read past them.
constexpr std::int64_t packed_size(std::int64_t n, std::int64_t k) {
  return padded_columns(n) * padded_depth(k);
}
/// Where the code of row `row`, column `column` of b stands in a packed matrix of depth k.
constexpr std::int64_t packed_index(std::int64_t row, std::int64_t column, std::int64_t k) {
  const std::int64_t block = row / kColumnBlock * kColumnBlock * padded_depth(k);
  return block + column / 4 * 4 * kColumnBlock + row % kColumnBlock * 4 + column % 4;
}

/// Packs rows [begin, end) of row-major codes [n][k], and the padding that follows them. `begin` is a
/// multiple of 16, `end` too or n, so that threads can share the work. `packed` is the whole matrix, aligned
/// to 64 bytes.
void pack_gemm_b(const std::int8_t* codes, std::int64_t n, std::int64_t k, std::int8_t* packed,
                 std::int64_t begin, std::int64_t end);

enum class GemmOutput { kFloat, kCodes };

/// What a sum becomes. kFloat: y = float(sum - correction) * scale + bias, each step rounded, nothing fused
/// (kernels/matmul/epilogue.h), then y = max(y, 0) as kernels/float/relu.h does it, if `relu`. kCodes: the
/// code of that y on `grid` (kernels/common/affine.h; a true quotient), NaN as zero_point: the bits of the
/// chain layer, relu, quantize.
struct GemmEpilogue {
  GemmOutput output = GemmOutput::kFloat;
  ChannelTerms terms{};  // one entry a channel: of a column, or of a row when channels_are_rows (conv2d)
  bool channels_are_rows = false;
  bool relu = false;
  AffineGrid grid{};  // kCodes; codes within [-128, 127]
};

struct GemmInt8Args {
  const std::int8_t* a;   // rows of k codes, of any alignment; nothing is read past the region's last code
  std::int64_t a_stride;  // elements between two rows of a
  const std::int8_t* b;   // packed, aligned to 64 bytes
  /// Null, or of every column of b the sum of its codes (of every group's: [groups][n]). Who packs b once and
  /// multiplies often spares an implementation that needs them (VNNI) from making them in each call.
  const std::int32_t* b_sums = nullptr;
  std::int64_t n, k;  // columns, depth
  /// > 0, a multiple of 4: t = sum over the groups of k, ascending, of float(sum_g - correction[g][c]) *
  /// scale[g][c], each step rounded; y = t * x_scale + bias (docs/numerics.md §5). Not with
  /// channels_are_rows. correction and scale are [groups][n].
  std::int64_t group_size = 0;
  float x_scale = 1.0f;        // groups only
  void* output;                // float or int8, row-major
  std::int64_t output_stride;  // elements between two rows of the output
  GemmEpilogue epilogue{};
};

/// A part of the output. column_begin is a multiple of 16, column_end too or n.
struct GemmRegion {
  std::int64_t row_begin, row_end, column_begin, column_end;
};

/// output[row][column] of the sum over k of a[row][k] * b[column][k], for a region: nothing else is written.
/// The caller keeps k below the bound where int32 could overflow (max_depth in linear.h). Threads share a
/// call by disjoint regions. Returns whether a y was NaN, for kCodes only. Some implementations keep a
/// buffer a thread (1 MB, or 32 rows of a if that is more), and throw std::bad_alloc without it.
extern const Kernel<bool(const GemmInt8Args& args, const GemmRegion& region)> gemm_int8;

/// The region of part `part` of `parts`, which together cover m x n: cut by rows when there are many, else by
/// columns. May be empty.
GemmRegion gemm_region(std::int64_t m, std::int64_t n, std::int64_t part, std::int64_t parts);

/// amx, avx512_vnni, avx512, avx2 on x86-64; neon_dotprod, neon on AArch64; reference.

}  // namespace samebits::kernels
