// kernels/observe/histogram.h's count() with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/observe/cpu/histogram.cpp"
#include "kernels/observe/reference/histogram.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/float_type-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

constexpr std::int64_t kTables = 4;          // neighbours rarely wait for each other's count
constexpr std::int64_t kSmallestRun = 4096;  // below it clearing and adding the tables costs more
constexpr std::int64_t kLargestRun = std::int64_t{1} << 31;  // a table's uint32 cannot overflow
constexpr std::int64_t kStep = 16;                           // elements between two stores of bin numbers

/// At most kLargestRun elements, a multiple of kStep.
template <class Stored>
HWY_INLINE void count_run(const Stored* x, std::int64_t begin, std::int64_t end, Histogram& histogram) {
  const BlockTag f32;
  const hn::Rebind<std::int32_t, BlockTag> i32;
  const auto half = hn::Set(f32, 0.5f), half_low = hn::Set(f32, histogram.range.half_low());
  const auto bins_per_half = hn::Set(f32, histogram.range.bins_per_half());
  const auto last_bin = hn::Set(f32, static_cast<float>(kHistogramBins - 1));
  const auto nan_bin = hn::Set(f32, static_cast<float>(kHistogramBins));
  std::uint32_t tables[kTables][kHistogramBins + 1] = {};
  for (std::int64_t i = begin; i < end; i += kStep) {
    std::int32_t bins[kStep];
    for (std::int64_t lane = 0; lane < kStep; lane += kBlockLanes) {
      const auto value = load_floats(x + i + lane);
      const auto position = hn::Mul(hn::Sub(hn::Mul(value, half), half_low), bins_per_half);
      const auto inside = hn::Min(hn::Max(position, hn::Zero(f32)), last_bin);
      const auto bin = hn::IfThenElse(hn::IsNaN(value), nan_bin, inside);
      hn::StoreU(hn::ConvertTo(i32, bin), i32, bins + lane);
    }
    for (std::int64_t lane = 0; lane < kStep; ++lane) ++tables[lane % kTables][bins[lane]];
  }
  for (const auto& table : tables) {
    for (std::int64_t bin = 0; bin < kHistogramBins; ++bin) histogram.counts[bin] += table[bin];
    histogram.nans += table[kHistogramBins];
  }
}

template <class Stored>
HWY_INLINE void count_as(const Stored* x, std::int64_t begin, std::int64_t end, Histogram& histogram,
                         FloatType type) {
  std::int64_t i = begin;
  while (end - i >= kSmallestRun) {
    const std::int64_t last = i + std::min(kLargestRun, (end - i) / kStep * kStep);
    count_run(x, i, last, histogram);
    i = last;
  }
  reference::count(x, i, end, histogram, type);
}

void count(const void* x, std::int64_t begin, std::int64_t end, Histogram& histogram, FloatType type) {
  if (type == FloatType::kBfloat16)
    return count_as(static_cast<const Bfloat16*>(x), begin, end, histogram, type);
  if (type == FloatType::kFloat16)
    return count_as(static_cast<const Float16*>(x), begin, end, histogram, type);
  count_as(static_cast<const float*>(x), begin, end, histogram, type);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(count, "histogram");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
