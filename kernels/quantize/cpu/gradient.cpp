// kernels/quantize/gradient.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/gradient.cpp"
#include "kernels/quantize/reference/gradient.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/quantize/cpu/gradient-inl.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Columns [0, last) of one row, 16 at a time; the sums of its block are in cache. Whole rows, not whole
/// columns: memory is read in order.
HWY_INLINE void mask_and_sum_row(const MaskAndSumArgs& args, std::int64_t row, std::int64_t last) {
  const GradientTag f32;
  const std::uint8_t* mask = args.relu_mask == nullptr ? nullptr : args.relu_mask + row * ((args.n + 7) / 8);
  float* sums = args.block_sums == nullptr ? nullptr : args.block_sums + row / kSumRows * args.n;
  const bool starts_sums = row % kSumRows == 0;
  for (std::int64_t column = 0; column < last; column += static_cast<std::int64_t>(hn::Lanes(f32))) {
    auto g = hn::LoadU(f32, args.g + row * args.n + column);
    if (mask != nullptr) g = masked(g, mask + column / 16 * 2, column % 16);
    if (args.masked != nullptr) hn::StoreU(g, f32, args.masked + row * args.n + column);
    if (sums == nullptr) continue;
    const auto before = starts_sums ? hn::Zero(f32) : hn::LoadU(f32, sums + column);
    hn::StoreU(hn::Add(before, g), f32, sums + column);
  }
}

void mask_and_sum(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t whole = args.n / 16 * 16;
  for (std::int64_t row = begin; row < end; ++row) {
    mask_and_sum_row(args, row, whole);
    reference::mask_and_sum_columns(args, row, row + 1, whole, args.n);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(mask_and_sum, "mask_and_sum");

void add_block_sums(const float* block_sums, std::int64_t blocks, std::int64_t n, float* sums,
                    std::int64_t begin, std::int64_t end) {
  std::fill(sums + begin, sums + end, 0.0f);
  for (std::int64_t block = 0; block < blocks; ++block)
    for (std::int64_t c = begin; c < end; ++c) sums[c] += block_sums[block * n + c];
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
