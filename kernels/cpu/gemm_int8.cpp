// kernels/gemm_int8.h with Highway: codes are widened to 16 bits, where a pair of products is exact, and summed
// in pairs (vpmaddwd). Lanes are columns of b. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm_int8.cpp"
#include "kernels/reference/gemm_int8.h"

#include <algorithm>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target, and its one lane holds no pair
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kRows = 6;            // rows of a tile: 6 x 16 sums stay in registers
constexpr std::int64_t kChunkPairs = 512;    // pairs of k widened at a time: 12 KiB of stack

using IntTag = hn::CappedTag<std::int32_t, 16>;
using ShortTag = hn::Repartition<std::int16_t, IntTag>;

/// Sums of a tile of `Rows` x 16 over `pairs` pairs of k. `a` holds Rows rows of kChunkPairs pairs, `b` is one
/// packed block from its first pair on. Adds to `accumulators` unless this is the first chunk.
template <std::int64_t Rows>
HWY_INLINE void multiply_tile(const std::int16_t (*a)[2 * kChunkPairs], const std::int16_t* b,
                              std::int64_t pairs, bool is_first_chunk, std::int32_t* accumulators,
                              std::int64_t stride) {
  const IntTag i32;
  const ShortTag i16;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(i32));
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += lanes) {
    hn::Vec<IntTag> even[Rows], odd[Rows];
    for (std::int64_t row = 0; row < Rows; ++row) even[row] = odd[row] = hn::Zero(i32);
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const auto b_pairs = hn::LoadU(i16, b + pair * 2 * kColumnBlock + 2 * lane);
      for (std::int64_t row = 0; row < Rows; ++row) {
        std::int32_t a_pair;
        std::memcpy(&a_pair, &a[row][2 * pair], sizeof a_pair);
        const auto a_pairs = hn::BitCast(i16, hn::Set(i32, a_pair));
        even[row] = hn::ReorderWidenMulAccumulate(i32, a_pairs, b_pairs, even[row], odd[row]);
      }
    }
    for (std::int64_t row = 0; row < Rows; ++row) {
      std::int32_t* to = accumulators + row * stride + lane;
      const auto sum = hn::RearrangeToOddPlusEven(even[row], odd[row]);
      hn::StoreU(is_first_chunk ? sum : hn::Add(hn::LoadU(i32, to), sum), i32, to);
    }
  }
}

/// `Rows` rows of a over all columns.
template <std::int64_t Rows>
HWY_INLINE void multiply_rows(const GemmInt8Args& args, std::int64_t row) {
  const std::int64_t columns = padded_columns(args.n), block_size = padded_depth(args.k) * kColumnBlock;
  alignas(64) std::int16_t a[Rows][2 * kChunkPairs];
  std::int64_t k = args.k_begin;
  do {
    const std::int64_t count = std::min(2 * kChunkPairs, args.k_end - k);
    for (std::int64_t r = 0; r < Rows; ++r) {
      const std::int8_t* codes = args.a + (row + r) * args.a_stride + k;
      for (std::int64_t i = 0; i < count; ++i) a[r][i] = codes[i];
      if (count % 2 != 0) a[r][count] = 0;  // b holds 0 there too
    }
    for (std::int64_t column = 0; column < columns; column += kColumnBlock)
      multiply_tile<Rows>(a, args.b + column / kColumnBlock * block_size + k * kColumnBlock, (count + 1) / 2,
                          k == args.k_begin, args.accumulators + row * columns + column, columns);
    k += count;
  } while (k < args.k_end);
}

void gemm_int8(const GemmInt8Args& args, std::int64_t begin, std::int64_t end) {
  std::int64_t row = begin;
  for (; row + kRows <= end; row += kRows) multiply_rows<kRows>(args, row);
  for (; row + 2 <= end; row += 2) multiply_rows<2>(args, row);
  if (row < end) multiply_rows<1>(args, row);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(gemm_int8)> list[] = SAMEBITS_IMPLEMENTATIONS(gemm_int8);
}  // namespace

std::span<const Implementation<decltype(gemm_int8)>> gemm_int8_implementations() { return list; }

void gemm_int8(const GemmInt8Args& args, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(gemm_int8_implementations());
  chosen.run(args, begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
