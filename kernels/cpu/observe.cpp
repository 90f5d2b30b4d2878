// kernels/observe.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/observe.cpp"
#include "kernels/reference/observe.h"

#include "kernels/reference/min_max.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/chunked_sum-inl.h"
#include "kernels/cpu/implementations.h"
#include "kernels/cpu/range-inl.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

Observation observe_chunk(const float* x, std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  VectorRange range;
  VectorLaneSums vector_sums, vector_squares;
  std::int64_t i = begin;
  for (; i + kSumLanes <= end; i += kSumLanes) {
    for (int vector = 0; vector < kFloatVectors; ++vector) {
      const auto value = hn::LoadU(f32, x + i + vector * kFloatLanes);
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
    const double value = std::isnan(x[tail]) ? 0.0 : double{x[tail]};
    sums.add(tail - begin, value);
    squares.add(tail - begin, value * value);
  }
  return {merge(range.range(), reference::min_max(x, i, end)), with_one_nan(sums.fold()), squares.fold()};
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(observe_chunk)> list[] = SAMEBITS_IMPLEMENTATIONS(observe_chunk);
}  // namespace

std::span<const Implementation<decltype(observe_chunk)>> observe_implementations() {
  return list;
}

Observation observe_chunk(const float* x, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(observe_implementations());
  return chosen.run(x, begin, end);
}

void observe(const float* x, std::int64_t begin, std::int64_t end, Observation* chunks) {
  for (std::int64_t first = begin; first < end; first += kSumChunk)
    chunks[first / kSumChunk] = observe_chunk(x, first, first + kSumChunk < end ? first + kSumChunk : end);
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
