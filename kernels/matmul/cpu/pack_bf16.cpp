// kernels/matmul/pack_bf16.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/pack_bf16.cpp"
#include "kernels/matmul/reference/pack_bf16.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/matmul/gemm_bf16.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target, and its one lane holds no pair
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using GradientTag = hn::CappedTag<float, 16>;
using Gradients = hn::Vec<GradientTag>;
using BitsTag = hn::RebindToUnsigned<GradientTag>;
using Bits = hn::Vec<BitsTag>;
using QuadTag = hn::Full128<std::uint32_t>;
constexpr std::int64_t kPairs = kBf16Block / 2;  // pairs of a block of depth
constexpr std::int64_t kWidth = 16;              // columns that are packed at a time

HWY_INLINE std::int64_t lanes() {
  return static_cast<std::int64_t>(hn::Lanes(GradientTag()));
}

/// to_bf16 of each lane in the upper half; the lower half is left over.
HWY_INLINE Bits rounded(Gradients value) {
  const BitsTag u32;
  const auto bits = hn::BitCast(u32, value);
  const auto last_bit = hn::And(hn::ShiftRight<16>(bits), hn::Set(u32, 1));
  const auto nearest = hn::Add(bits, hn::Add(last_bit, hn::Set(u32, 0x7FFF)));
  const auto is_nan = hn::RebindMask(u32, hn::IsNaN(value));
  return hn::IfThenElse(is_nan, hn::Or(bits, hn::Set(u32, 0x00400000)), nearest);
}

/// Upper halves side by side: `even` in the lower half of each lane.
HWY_INLINE Bits paired(Bits even, Bits odd) {
  return hn::Or(hn::ShiftRight<16>(even), hn::And(odd, hn::Set(BitsTag(), 0xFFFF0000u)));
}

/// to[4][4] (rows `stride` apart) = the transpose of from[4][kWidth].
HWY_INLINE void transpose_4x4(const std::uint32_t* from, std::uint32_t* to, std::int64_t stride) {
  const QuadTag u32;
  const hn::Repartition<std::uint64_t, QuadTag> u64;
  const auto row0 = hn::LoadU(u32, from), row1 = hn::LoadU(u32, from + kWidth);
  const auto row2 = hn::LoadU(u32, from + 2 * kWidth), row3 = hn::LoadU(u32, from + 3 * kWidth);
  const auto low01 = hn::BitCast(u64, hn::InterleaveLower(u32, row0, row1));
  const auto low23 = hn::BitCast(u64, hn::InterleaveLower(u32, row2, row3));
  const auto high01 = hn::BitCast(u64, hn::InterleaveUpper(u32, row0, row1));
  const auto high23 = hn::BitCast(u64, hn::InterleaveUpper(u32, row2, row3));
  hn::StoreU(hn::BitCast(u32, hn::InterleaveLower(u64, low01, low23)), u32, to);
  hn::StoreU(hn::BitCast(u32, hn::InterleaveUpper(u64, low01, low23)), u32, to + stride);
  hn::StoreU(hn::BitCast(u32, hn::InterleaveLower(u64, high01, high23)), u32, to + 2 * stride);
  hn::StoreU(hn::BitCast(u32, hn::InterleaveUpper(u64, high01, high23)), u32, to + 3 * stride);
}

using PairBlock = std::uint32_t[2][kPairs][kWidth];  // g of 32 rows in pairs: left and right 16 columns

HWY_INLINE Gradients load_scale(const PackGradientArgs& args, std::int64_t column) {
  const GradientTag f32;
  if (args.scale == nullptr) return hn::Set(f32, 1.0f);
  return args.scale_count == 1 ? hn::Set(f32, args.scale[0]) : hn::LoadU(f32, args.scale + column);
}

/// Two vectors of columns of 32 rows, from `column + lane` on: everything but the transposition of `pairs`.
HWY_INLINE void pack_gradient_lanes(const PackGradientArgs& args, std::int64_t row, std::int64_t column,
                                    std::int64_t lane, PairBlock& pairs) {
  const GradientTag f32;
  const hn::Repartition<Bf16, GradientTag> u16;
  const std::int64_t right = lane + lanes();
  const Gradients scale0 = load_scale(args, column + lane), scale1 = load_scale(args, column + right);
  float* sums = args.block_sums == nullptr ? nullptr : args.block_sums + row / kSumRows * args.n + column;
  const bool starts_sums = sums == nullptr || row % kSumRows == 0;
  Gradients sum0 = starts_sums ? hn::Zero(f32) : hn::LoadU(f32, sums + lane);
  Gradients sum1 = starts_sums ? hn::Zero(f32) : hn::LoadU(f32, sums + right);
  for (std::int64_t r = 0; r < 32; r += 2) {
    Gradients g0[2], g1[2];
    for (std::int64_t i = 0; i < 2; ++i) {
      const float* from = args.g + (row + r + i) * args.n + column;
      g0[i] = hn::LoadU(f32, from + lane);
      g1[i] = hn::LoadU(f32, from + right);
      sum0 = hn::Add(sum0, g0[i]);
      sum1 = hn::Add(sum1, g1[i]);
      if (args.for_grad_x == nullptr) continue;
      const auto scaled0 = hn::BitCast(u16, rounded(hn::Mul(g0[i], scale0)));
      const auto scaled1 = hn::BitCast(u16, rounded(hn::Mul(g1[i], scale1)));
      hn::StoreU(hn::ConcatOdd(u16, scaled1, scaled0), u16,
                 args.for_grad_x + packed_bf16_a_index(row + r + i, column + lane, args.n));
    }
    if (args.for_grad_weight == nullptr) continue;
    hn::StoreU(paired(rounded(g0[0]), rounded(g0[1])), BitsTag(), &pairs[lane / 16][r / 2][lane % 16]);
    hn::StoreU(paired(rounded(g1[0]), rounded(g1[1])), BitsTag(), &pairs[right / 16][r / 2][right % 16]);
  }
  if (sums == nullptr) return;
  hn::StoreU(sum0, f32, sums + lane);
  hn::StoreU(sum1, f32, sums + right);
}

/// 32 whole rows from `row` on and 32 whole columns from `column` on.
HWY_INLINE void pack_gradient_block(const PackGradientArgs& args, std::int64_t row, std::int64_t column) {
  alignas(64) PairBlock pairs;
  for (std::int64_t lane = 0; lane < 32; lane += 2 * lanes())
    pack_gradient_lanes(args, row, column, lane, pairs);
  if (args.for_grad_weight == nullptr) return;
  for (std::int64_t half = 0; half < 2; ++half) {
    auto* tile = reinterpret_cast<std::uint32_t*>(args.for_grad_weight +
                                                  packed_bf16_a_index(column + 16 * half, row, args.m));
    for (std::int64_t pair = 0; pair < kPairs; pair += 4)
      for (std::int64_t c = 0; c < kWidth; c += 4)
        transpose_4x4(&pairs[half][pair][c], tile + c * kPairs + pair, kPairs);
  }
}

void pack_gradient(const PackGradientArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; row += 32) {
    std::int64_t column = 0;
    if (row + 32 <= args.m)
      for (; column + 32 <= args.n; column += 32) pack_gradient_block(args, row, column);
    reference::pack_gradient_columns(args, row, row + 32, column, padded_bf16(args.n));
  }
}

/// lanes() codes of one row as floats: exact integers, or real weights not yet rounded to bfloat16.
HWY_INLINE Gradients load_codes(const PackCodesArgs& args, const std::int8_t* codes, std::int64_t row,
                                std::int64_t column) {
  const GradientTag f32;
  const hn::RebindToSigned<GradientTag> i32;
  const hn::Rebind<std::int8_t, GradientTag> i8;
  const auto code = hn::Sub(hn::PromoteTo(i32, hn::LoadU(i8, codes)), hn::Set(i32, args.zero_point));
  const Gradients value = hn::ConvertTo(f32, code);
  if (args.scale == nullptr) return value;
  if (args.group_size % kWidth == 0)
    return hn::Mul(value, hn::Set(f32, args.scale[column / args.group_size * args.depth + row]));
  float scale[16];
  for (std::int64_t lane = 0; lane < lanes(); ++lane)
    scale[lane] = args.scale[(column + lane) / args.group_size * args.depth + row];
  return hn::Mul(value, hn::LoadU(f32, scale));
}

/// 32 whole rows from `row` on and 16 whole columns from `column` on.
HWY_INLINE void pack_codes_block(const PackCodesArgs& args, std::int64_t row, std::int64_t column) {
  const std::int8_t* codes = args.codes + row * args.columns + column;
  Bf16* to = args.packed + packed_bf16_b_index(row, column, args.depth);
  for (std::int64_t r = 0; r < 32; r += 2, codes += 2 * args.columns, to += 2 * kWidth) {
    for (std::int64_t lane = 0; lane < kWidth; lane += lanes()) {
      const auto even = rounded(load_codes(args, codes + lane, row + r, column + lane));
      const auto odd = rounded(load_codes(args, codes + args.columns + lane, row + r + 1, column + lane));
      hn::StoreU(paired(even, odd), BitsTag(), reinterpret_cast<std::uint32_t*>(to + 2 * lane));
    }
  }
}

void pack_codes(const PackCodesArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; row += 32) {
    std::int64_t column = 0;
    if (row + 32 <= args.depth)
      for (; column + kWidth <= args.columns; column += kWidth) pack_codes_block(args, row, column);
    reference::pack_codes_columns(args, row, row + 32, column, padded_bf16(args.columns));
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(pack_gradient, "pack_gradient");
SAMEBITS_HIGHWAY_KERNEL(pack_codes, "pack_codes");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
