// kernels/gradient.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gradient.cpp"
#include "kernels/reference/gradient.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/gradient-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// 16 columns of the rows of one block, from `column` on.
HWY_INLINE void mask_and_sum_16(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end,
                                std::int64_t column) {
  const GradientTag f32;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32)), mask_stride = (args.n + 7) / 8;
  for (std::int64_t lane = 0; lane < 16; lane += lanes) {
    auto sum = hn::Zero(f32);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t i = row * args.n + column + lane;
      auto g = hn::LoadU(f32, args.g + i);
      if (args.relu_mask != nullptr) g = masked(g, args.relu_mask + row * mask_stride + column / 8, lane);
      if (args.masked != nullptr) hn::StoreU(g, f32, args.masked + i);
      sum = hn::Add(sum, g);
    }
    if (args.block_sums != nullptr)
      hn::StoreU(sum, f32, args.block_sums + begin / kSumRows * args.n + column + lane);
  }
}

void mask_and_sum(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; row += kSumRows) {
    const std::int64_t last = std::min(row + kSumRows, end);
    std::int64_t column = 0;
    for (; column + 16 <= args.n; column += 16) mask_and_sum_16(args, row, last, column);
    reference::mask_and_sum_columns(args, row, last, column, args.n);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(mask_and_sum)> list[] = SAMEBITS_IMPLEMENTATIONS(mask_and_sum);
}  // namespace

std::span<const Implementation<decltype(mask_and_sum)>> mask_and_sum_implementations() {
  return list;
}

void mask_and_sum(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(mask_and_sum_implementations());
  chosen.run(args, begin, end);
}

void add_block_sums(const float* block_sums, std::int64_t blocks, std::int64_t n, float* sums,
                    std::int64_t begin, std::int64_t end) {
  std::fill(sums + begin, sums + end, 0.0f);
  for (std::int64_t block = 0; block < blocks; ++block)
    for (std::int64_t c = begin; c < end; ++c) sums[c] += block_sums[block * n + c];
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
