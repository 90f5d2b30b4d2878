// kernels/observe/observe.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/observe/cpu/observe.cpp"
#include "kernels/observe/reference/observe.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/chunked_sum-inl.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/observe/cpu/range-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <class Stored>
HWY_INLINE Observation observe_as(const Stored* x, std::int64_t begin, std::int64_t end) {
  VectorRange range;
  VectorLaneSums vector_sums, vector_squares;
  std::int64_t i = begin;
  for (; i + kSumLanes <= end; i += kSumLanes) {
    for (int vector = 0; vector < kFloatVectors; ++vector) {
      const auto value = load_floats(x + i + vector * kFloatLanes);
      const auto is_nan = hn::IsNaN(value);
      const auto number = hn::IfThenZeroElse(is_nan, value);
      range.add(value, is_nan);
      for (int part = 0; part < kParts; ++part) {
        const auto term = promote_part(number, part);
        vector_sums.add(vector, part, term);
        vector_squares.add(vector, part, hn::Mul(term, term));
      }
    }
  }
  LaneSums sums = vector_sums.store(), squares = vector_squares.store();
  for (std::int64_t tail = i; tail < end; ++tail) {
    const float number = to_float(x[tail]);
    const double value = std::isnan(number) ? 0.0 : double{number};
    sums.add(tail - begin, value);
    squares.add(tail - begin, value * value);
  }
  return {merge(range.range(), reference::range_of(x, i, end)), with_one_nan(sums.fold()), squares.fold()};
}

Observation observe_chunk(const void* x, std::int64_t begin, std::int64_t end, FloatType type) {
  if (type == FloatType::kBfloat16) return observe_as(static_cast<const Bfloat16*>(x), begin, end);
  if (type == FloatType::kFloat16) return observe_as(static_cast<const Float16*>(x), begin, end);
  return observe_as(static_cast<const float*>(x), begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(observe_chunk, "observe");

void observe(const void* x, std::int64_t begin, std::int64_t end, Observation* chunks, FloatType type) {
  for (std::int64_t first = begin; first < end; first += kSumChunk)
    chunks[first / kSumChunk] = observe_chunk(x, first, std::min(first + kSumChunk, end), type);
}

Observation fold(std::span<const Observation> chunks) {
  Observation all;
  for (const Observation& chunk : chunks) {
    all.range = merge(all.range, chunk.range);
    all.sum += chunk.sum;
    all.sum_of_squares += chunk.sum_of_squares;
  }
  all.sum = with_one_nan(all.sum);
  return all;
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
