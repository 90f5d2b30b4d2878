// kernels/matmul/gemm_bf16.h with Highway: both operands are widened to float32 (a shift or a mask) and
// multiplied by fused multiply-adds, depth by depth. Lanes are columns. This file is compiled once for every
// instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/bf16/widening.cpp"
#include "kernels/matmul/reference/gemm_bf16.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/matmul/cpu/bf16/kernels.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target, and its one lane holds no pair
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kRows = 8;       // rows of a tile: as many sums stay in registers
constexpr std::int64_t kRowBlock = 64;  // rows that share what is cached of b
constexpr std::int64_t kDepth = 512;    // depths of a that are widened at a time
constexpr std::int64_t kPanel = 512;    // columns whose sums wait for the next depths

// Vectors of columns of a tile: 16 sums hide the latency of a multiply-add, but AVX2 has registers for 8.
constexpr std::int64_t kVectors = HWY_TARGET == HWY_AVX2 ? 1 : 2;

using FloatTag = hn::CappedTag<float, 16>;
using BitsTag = hn::RebindToUnsigned<FloatTag>;

/// kRows rows of `count` depths as floats [count][kRows]. `a` is their first element.
HWY_INLINE void widen_rows(const Bf16* a, std::int64_t count, float* widened) {
  for (std::int64_t d = 0; d < count; ++d)
    for (std::int64_t row = 0; row < kRows; ++row)
      widened[d * kRows + row] = from_bf16(a[d / 32 * 512 + row * 32 + d % 32]);
}

/// Adds `count` depths of kRows x 32 products to `sums`, rows of kPanel, or starts them. `b` is the first of
/// two packed blocks of 16 columns, block_size apart.
HWY_INLINE void multiply_tile(const float* a, const Bf16* b, std::int64_t block_size, std::int64_t count,
                              bool is_first, float* sums) {
  const FloatTag f32;
  const hn::Repartition<Bf16, FloatTag> u16;
  const BitsTag u32;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  const auto upper_half = hn::Set(u32, 0xFFFF0000u);
  for (std::int64_t column = 0; column < 32; column += kVectors * lanes) {
    hn::Vec<FloatTag> sum[kVectors][kRows], even[kVectors], odd[kVectors];
    for (std::int64_t v = 0; v < kVectors; ++v)
      for (std::int64_t row = 0; row < kRows; ++row)
        sum[v][row] = is_first ? hn::Zero(f32) : hn::LoadU(f32, sums + row * kPanel + column + v * lanes);
    for (std::int64_t d = 0; d < count; d += 2) {
      for (std::int64_t v = 0; v < kVectors; ++v) {
        const std::int64_t c = column + v * lanes;
        const auto pairs = hn::BitCast(u32, hn::LoadU(u16, b + c / 16 * block_size + d * 16 + c % 16 * 2));
        even[v] = hn::BitCast(f32, hn::ShiftLeft<16>(pairs));
        odd[v] = hn::BitCast(f32, hn::And(pairs, upper_half));
      }
      for (std::int64_t row = 0; row < kRows; ++row) {
        const auto a_even = hn::Set(f32, a[d * kRows + row]), a_odd = hn::Set(f32, a[(d + 1) * kRows + row]);
        for (std::int64_t v = 0; v < kVectors; ++v) {
          sum[v][row] = hn::MulAdd(a_even, even[v], sum[v][row]);
          sum[v][row] = hn::MulAdd(a_odd, odd[v], sum[v][row]);
        }
      }
    }
    for (std::int64_t v = 0; v < kVectors; ++v)
      for (std::int64_t row = 0; row < kRows; ++row)
        hn::StoreU(sum[v][row], f32, sums + row * kPanel + column + v * lanes);
  }
}

/// Writes columns [first, last) of one row of the output; sums[0] belongs to column `first`.
HWY_INLINE void finish_row(const GemmBf16Args& args, std::int64_t row, std::int64_t first, std::int64_t last,
                           const float* sums) {
  const hn::CappedTag<float, 8> f32;  // one byte of a mask
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  const auto scale = hn::Set(f32, args.scale);
  std::int64_t column = first;
  for (; column + lanes <= last; column += lanes) {
    auto value = hn::Mul(hn::LoadU(f32, sums + (column - first)), scale);
    if (args.clip_mask != nullptr) {
      const std::uint8_t bits[8] = {
          static_cast<std::uint8_t>(mask_bits_at(args.clip_mask, row * args.columns + column, lanes))};
      value = hn::IfThenZeroElse(hn::LoadMaskBits(f32, bits), value);
    }
    float* output = args.output + row * args.output_stride + column;
    if (args.accumulate) value = hn::Add(hn::LoadU(f32, output), value);
    hn::StoreU(value, f32, output);
  }
  for (; column < last; ++column) reference::finish_element(args, row, column, sums[column - first]);
}

/// Rows [row, row_last), at most kRowBlock, by columns [first, last), at most kPanel: the part of b that some
/// depths need stays in the second cache while the rows pass.
HWY_INLINE void multiply_panel(const GemmBf16Args& args, std::int64_t row, std::int64_t row_last,
                               std::int64_t first, std::int64_t last) {
  alignas(64) float widened[kDepth * kRows];
  alignas(64) float sums[kRowBlock * kPanel];
  const std::int64_t depth = padded_bf16(args.depth);
  if (depth == 0) std::fill(sums, sums + kRowBlock * kPanel, 0.0f);
  for (std::int64_t d = 0; d < depth; d += kDepth) {
    const std::int64_t count = std::min(kDepth, depth - d);
    for (std::int64_t r = row; r < row_last; r += kRows) {
      widen_rows(args.a + packed_bf16_a_index(r, d, depth), count, widened);
      for (std::int64_t column = first; column < last; column += 32)
        multiply_tile(widened, args.b + packed_bf16_b_index(d, column, depth), depth * 16, count, d == 0,
                      sums + (r - row) * kPanel + (column - first));
    }
  }
  for (std::int64_t r = row; r < row_last; ++r) finish_row(args, r, first, last, sums + (r - row) * kPanel);
}

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region) {
  for (std::int64_t column = region.column_begin; column < region.column_end; column += kPanel)
    for (std::int64_t row = region.row_begin; row < region.row_end; row += kRowBlock)
      multiply_panel(args, row, std::min(row + kRowBlock, region.row_end), column,
                     std::min(column + kPanel, region.column_end));
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr decltype(gemm_bf16)::Entry list[] = {
#if defined(__x86_64__)
    {"amx", amx::gemm_bf16, isa::why_not_amx},
    {"avx512_bf16", avx512_bf16::gemm_bf16, avx512_bf16::why_not},
#endif
    SAMEBITS_EVERY_TARGET(gemm_bf16)};
}  // namespace

SAMEBITS_KERNEL(gemm_bf16, "gemm_bf16", list);

}  // namespace samebits::kernels
#endif  // HWY_ONCE
