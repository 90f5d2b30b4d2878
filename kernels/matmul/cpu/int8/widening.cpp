// kernels/matmul/gemm_int8.h with Highway: codes are widened to 16 bits, where a pair of products is exact,
// and summed in pairs (vpmaddwd). This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int8/widening.cpp"
#include "kernels/matmul/reference/gemm_int8.h"

#include <algorithm>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/matmul/cpu/epilogue-inl.h"
#include "kernels/matmul/cpu/int8/kernels.h"
#include "kernels/matmul/cpu/scratch.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target, and its one lane holds no pair
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

constexpr std::int64_t kTileRows = 6;               // of 2 vectors of sums each: 12 registers
constexpr std::int64_t kRowBlockBytes = 512 << 10;  // widened rows of a, used for one block after another

using PairTag = hn::CappedTag<std::int32_t, 16>;  // a lane sums one pair of a quad: two lanes a column
using ShortTag = hn::Repartition<std::int16_t, PairTag>;
using QuadTag = hn::Repartition<std::int64_t, PairTag>;
using CodeTag = hn::Rebind<std::int8_t, ShortTag>;

/// sums[row][column] over `quads` quads of k for `Rows` x 16. `a` holds widened rows `stride` elements apart,
/// `b` is a packed block; both begin at the first quad.
template <std::int64_t Rows>
HWY_INLINE void multiply_tile(const std::int16_t* a, std::int64_t stride, const std::int8_t* b,
                              std::int64_t quads, std::int32_t (*sums)[kColumnBlock]) {
  const PairTag i32;
  const ShortTag i16;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(i32));
  for (std::int64_t column = 0; column < kColumnBlock; column += lanes) {
    hn::Vec<PairTag> even[Rows][2], odd[Rows][2];
    for (std::int64_t row = 0; row < Rows; ++row)
      even[row][0] = even[row][1] = odd[row][0] = odd[row][1] = hn::Zero(i32);
    for (std::int64_t quad = 0; quad < quads; ++quad) {
      const std::int8_t* codes = b + (quad * kColumnBlock + column) * 4;
      const auto low = hn::PromoteTo(i16, hn::LoadU(CodeTag(), codes));
      const auto high = hn::PromoteTo(i16, hn::LoadU(CodeTag(), codes + 2 * lanes));
      for (std::int64_t row = 0; row < Rows; ++row) {
        std::int64_t a_quad;
        std::memcpy(&a_quad, a + row * stride + 4 * quad, sizeof a_quad);
        const auto a_quads = hn::BitCast(i16, hn::Set(QuadTag(), a_quad));
        even[row][0] = hn::ReorderWidenMulAccumulate(i32, a_quads, low, even[row][0], odd[row][0]);
        even[row][1] = hn::ReorderWidenMulAccumulate(i32, a_quads, high, even[row][1], odd[row][1]);
      }
    }
    for (std::int64_t row = 0; row < Rows; ++row) {
      const auto low = hn::RearrangeToOddPlusEven(even[row][0], odd[row][0]);
      const auto high = hn::RearrangeToOddPlusEven(even[row][1], odd[row][1]);
      hn::StoreU(hn::Add(hn::ConcatEven(i32, high, low), hn::ConcatOdd(i32, high, low)), i32,
                 sums[row] + column);
    }
  }
}

HWY_NOINLINE void multiply_rows(std::int64_t rows, const std::int16_t* a, std::int64_t stride,
                                const std::int8_t* b, std::int64_t quads,
                                std::int32_t (*sums)[kColumnBlock]) {
  switch (rows) {
    case 6:
      return multiply_tile<6>(a, stride, b, quads, sums);
    case 5:
      return multiply_tile<5>(a, stride, b, quads, sums);
    case 4:
      return multiply_tile<4>(a, stride, b, quads, sums);
    case 3:
      return multiply_tile<3>(a, stride, b, quads, sums);
    case 2:
      return multiply_tile<2>(a, stride, b, quads, sums);
    default:
      return multiply_tile<1>(a, stride, b, quads, sums);
  }
}

/// One call: its arguments, and the rows of a that are widened at the moment.
struct WideningGemm {
  const GemmInt8Args& args;
  const GemmRegion& region;
  std::int64_t quads = (args.k + 3) / 4, stride = 4 * quads;
  std::int16_t* a = nullptr;  // rows of `stride` elements; zeros after the k-th
  bool saw_nan = false;

  void widen(std::int64_t row_begin, std::int64_t row_end) {
    for (std::int64_t row = row_begin; row < row_end; ++row) {
      std::int16_t* to = a + (row - row_begin) * stride;
      std::copy_n(args.a + row * args.a_stride, args.k, to);
      std::fill_n(to + args.k, stride - args.k, std::int16_t{0});
    }
  }

  /// `rows` widened rows by one block of columns; `row` is the first one's place in the output.
  void grouped_tile(const std::int16_t* tile_a, std::int64_t row, std::int64_t rows, std::int64_t column,
                    std::int64_t count) {
    alignas(64) float totals[kTileRows][kColumnBlock] = {};
    for (std::int64_t k = 0; k < args.k; k += args.group_size) {
      alignas(64) std::int32_t sums[kTileRows][kColumnBlock];
      const std::int64_t length = std::min(args.group_size, args.k - k);
      multiply_rows(rows, tile_a + k, stride, args.b + packed_index(column, k, args.k), (length + 3) / 4,
                    sums);
      const BlockTerms terms = block_terms(args, k / args.group_size, column, count);
      for (std::int64_t r = 0; r < rows; ++r) add_group(sums[r], terms, totals[r]);
    }
    const BlockTerms bias = bias_terms(args, column, count);
    for (std::int64_t r = 0; r < rows; ++r) {
      end_groups(totals[r], args.x_scale, bias);
      saw_nan |= store_row(args, totals[r], row + r, column, count);
    }
  }

  void block(std::int64_t row_begin, std::int64_t row_end) {
    for (std::int64_t column = region.column_begin; column < region.column_end; column += kColumnBlock) {
      const std::int64_t count = std::min(kColumnBlock, region.column_end - column);
      const BlockTerms terms = args.group_size > 0 ? BlockTerms{} : block_terms(args, 0, column, count);
      for (std::int64_t row = row_begin; row < row_end; row += kTileRows) {
        const std::int64_t rows = std::min(kTileRows, row_end - row);
        const std::int16_t* tile_a = a + (row - row_begin) * stride;
        if (args.group_size > 0) {
          grouped_tile(tile_a, row, rows, column, count);
          continue;
        }
        alignas(64) std::int32_t sums[kTileRows][kColumnBlock];
        multiply_rows(rows, tile_a, stride, args.b + packed_index(column, 0, args.k), quads, sums);
        for (std::int64_t r = 0; r < rows; ++r)
          saw_nan |= store_sums(args, sums[r], terms, row + r, column, count);
      }
    }
  }

  bool run() {
    const std::int64_t row_bytes = std::max<std::int64_t>(1, stride * 2);
    const std::int64_t fitting = kRowBlockBytes / row_bytes / kTileRows * kTileRows;
    const std::int64_t rows = std::clamp(fitting, kTileRows, 16 * kTileRows);
    a = static_cast<std::int16_t*>(thread_scratch(rows * row_bytes));
    for (std::int64_t row = region.row_begin; row < region.row_end; row += rows) {
      const std::int64_t row_end = std::min(row + rows, region.row_end);
      widen(row, row_end);
      block(row, row_end);
    }
    return saw_nan;
  }
};

bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region) {
  return WideningGemm{args, region}.run();
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr decltype(gemm_int8)::Entry list[] = {
#if HWY_TARGETS & HWY_AVX3
    {"amx", N_AVX3::gemm_int8_amx, isa::why_not_amx},
    {"avx512_vnni", N_AVX3::gemm_int8_vnni, isa::why_not_avx512_vnni},
#endif
#if HWY_TARGETS & HWY_NEON
    {"neon_dotprod", neon_dotprod::gemm_int8, isa::why_not_neon_dotprod},
#endif
    SAMEBITS_EVERY_TARGET(gemm_int8)};
}  // namespace

SAMEBITS_KERNEL(gemm_int8, "gemm_int8", list);

}  // namespace samebits::kernels
#endif  // HWY_ONCE
