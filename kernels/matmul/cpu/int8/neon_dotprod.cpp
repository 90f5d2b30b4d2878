// kernels/matmul/gemm_int8.h with NEON's sdot: four products of a quad are added to a lane at once. A tile is
// 6 rows by 16 columns, 24 registers of sums.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/matmul/cpu/epilogue-inl.h"
#include "kernels/matmul/cpu/int8/kernels.h"
#include "kernels/matmul/cpu/scratch.h"
#include "kernels/matmul/cpu/target.h"

HWY_BEFORE_NAMESPACE();  // Highway's functions are inlined only where their target is
namespace samebits::kernels::neon_dotprod {
namespace {

namespace simd = samebits::kernels::HWY_NAMESPACE;  // Highway's static target: plain NEON

constexpr int kTileRows = 6;
constexpr std::int64_t kRowBlockBytes = 256 << 10, kRowBlock = 96;

using Sums = std::int32_t[kTileRows][kColumnBlock];

SAMEBITS_BEGIN_TARGET("arch=armv8.2-a+dotprod")
/// sums[row][column] over `quads` quads for `Rows` x 16. Rows of `a` are `stride` codes apart and readable up
/// to a multiple of 16 codes.
template <int Rows>
void multiply_tile(const std::int8_t* a, std::int64_t stride, const std::int8_t* b, std::int64_t quads,
                   Sums& sums) {
  int32x4_t tile[Rows][4];
  for (int row = 0; row < Rows; ++row)
    for (int vector = 0; vector < 4; ++vector) tile[row][vector] = vdupq_n_s32(0);
  for (std::int64_t quad = 0; quad < quads; ++quad) {
    int8x16_t columns[4];
    for (int vector = 0; vector < 4; ++vector) columns[vector] = vld1q_s8(b + quad * 64 + vector * 16);
    for (int row = 0; row < Rows; ++row) {
      std::int32_t codes;
      std::memcpy(&codes, a + row * stride + 4 * quad, sizeof codes);
      const int8x16_t row_codes = vreinterpretq_s8_s32(vdupq_n_s32(codes));
      for (int vector = 0; vector < 4; ++vector)
        tile[row][vector] = vdotq_s32(tile[row][vector], columns[vector], row_codes);
    }
  }
  for (int row = 0; row < Rows; ++row)
    for (int vector = 0; vector < 4; ++vector) vst1q_s32(sums[row] + 4 * vector, tile[row][vector]);
}

constexpr void (*kTiles[kTileRows])(const std::int8_t*, std::int64_t, const std::int8_t*, std::int64_t,
                                    Sums&) = {multiply_tile<1>, multiply_tile<2>, multiply_tile<3>,
                                              multiply_tile<4>, multiply_tile<5>, multiply_tile<6>};
SAMEBITS_END_TARGET

/// One call: its arguments, and the rows of a that are padded to whole quads at the moment.
struct Gemm {
  const GemmInt8Args& args;
  const GemmRegion& region;
  std::int64_t quads = (args.k + 3) / 4, stride = 4 * quads;
  std::int8_t* a = nullptr;
  bool saw_nan = false;

  void pad(std::int64_t row_begin, std::int64_t row_end) {
    for (std::int64_t row = row_begin; row < row_end; ++row) {
      std::int8_t* to = a + (row - row_begin) * stride;
      std::copy_n(args.a + row * args.a_stride, args.k, to);
      std::fill_n(to + args.k, stride - args.k, std::int8_t{0});
    }
  }

  void tile(const std::int8_t* tile_a, std::int64_t row, std::int64_t rows, std::int64_t column,
            std::int64_t count, const BlockTerms& terms) {
    alignas(64) Sums sums;
    kTiles[rows - 1](tile_a, stride, args.b + packed_index(column, 0, args.k), quads, sums);
    for (std::int64_t r = 0; r < rows; ++r)
      saw_nan |= simd::store_sums(args, sums[r], terms, row + r, column, count);
  }

  void grouped_tile(const std::int8_t* tile_a, std::int64_t row, std::int64_t rows, std::int64_t column,
                    std::int64_t count) {
    alignas(64) float totals[kTileRows][kColumnBlock] = {};
    for (std::int64_t k = 0; k < args.k; k += args.group_size) {
      alignas(64) Sums sums;
      const std::int64_t length = std::min(args.group_size, args.k - k);
      kTiles[rows - 1](tile_a + k, stride, args.b + packed_index(column, k, args.k), (length + 3) / 4, sums);
      const BlockTerms terms = block_terms(args, k / args.group_size, column, count);
      for (std::int64_t r = 0; r < rows; ++r) simd::add_group(sums[r], terms, totals[r]);
    }
    const BlockTerms bias = bias_terms(args, column, count);
    for (std::int64_t r = 0; r < rows; ++r) {
      simd::end_groups(totals[r], args.x_scale, bias);
      saw_nan |= simd::store_row(args, totals[r], row + r, column, count);
    }
  }

  void block(std::int64_t row_begin, std::int64_t row_end) {
    for (std::int64_t column = region.column_begin; column < region.column_end; column += kColumnBlock) {
      const std::int64_t count = std::min(kColumnBlock, region.column_end - column);
      const BlockTerms terms = args.group_size > 0 ? BlockTerms{} : block_terms(args, 0, column, count);
      for (std::int64_t row = row_begin; row < row_end; row += kTileRows) {
        const std::int64_t rows = std::min<std::int64_t>(kTileRows, row_end - row);
        const std::int8_t* tile_a = a + (row - row_begin) * stride;
        if (args.group_size > 0) {
          grouped_tile(tile_a, row, rows, column, count);
        } else {
          tile(tile_a, row, rows, column, count, terms);
        }
      }
    }
  }

  bool run() {
    const std::int64_t row_bytes = std::max<std::int64_t>(1, stride);
    const std::int64_t fitting = kRowBlockBytes / row_bytes / kTileRows * kTileRows;
    const std::int64_t rows = std::clamp<std::int64_t>(fitting, kTileRows, kRowBlock);
    a = static_cast<std::int8_t*>(thread_scratch(rows * row_bytes));
    for (std::int64_t row = region.row_begin; row < region.row_end; row += rows) {
      const std::int64_t row_end = std::min(row + rows, region.row_end);
      pad(row, row_end);
      block(row, row_end);
    }
    return saw_nan;
  }
};

}  // namespace

bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region) {
  return Gemm{args, region}.run();
}

}  // namespace samebits::kernels::neon_dotprod
HWY_AFTER_NAMESPACE();
#endif  // __aarch64__
