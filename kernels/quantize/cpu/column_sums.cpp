// kernels/quantize/column_sums.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/column_sums.cpp"
#include "kernels/quantize/reference/column_sums.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Columns [0, last) of one row, 16 at a time; the sums of its block are in cache. Whole rows, not whole
/// columns: memory is read in order.
HWY_INLINE void sum_row(const SumColumnsArgs& args, std::int64_t row, std::int64_t last) {
  const hn::CappedTag<float, 16> f32;
  float* sums = args.block_sums + row / kSumRows * args.n;
  const bool starts_sums = row % kSumRows == 0;
  for (std::int64_t column = 0; column < last; column += static_cast<std::int64_t>(hn::Lanes(f32))) {
    const auto before = starts_sums ? hn::Zero(f32) : hn::LoadU(f32, sums + column);
    hn::StoreU(hn::Add(before, hn::LoadU(f32, args.g + row * args.n + column)), f32, sums + column);
  }
}

void sum_columns(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t whole = args.n / 16 * 16;
  for (std::int64_t row = begin; row < end; ++row) {
    sum_row(args, row, whole);
    reference::sum_some_columns(args, row, row + 1, whole, args.n);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {

SAMEBITS_HIGHWAY_KERNEL(sum_columns, "sum_columns");

void add_block_sums(const float* block_sums, std::int64_t blocks, std::int64_t n, float* sums,
                    std::int64_t begin, std::int64_t end) {
  std::fill(sums + begin, sums + end, 0.0f);
  for (std::int64_t block = 0; block < blocks; ++block)
    for (std::int64_t c = begin; c < end; ++c) sums[c] += block_sums[block * n + c];
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
