// What a tensor looks like, in one pass: range, sum and sum of squares. Observers make grids from it, reports
// means and deviations. Sums have the order of chunked_sum.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/chunked_sum.h"
#include "kernels/common/float_type.h"
#include "kernels/common/kernel.h"
#include "kernels/observe/min_max.h"

namespace samebits::kernels {

/// NaNs count for nothing but the flag of `range`. An element's square is exact; sums are NaN where
/// infinities of both signs meet.
struct Observation {
  MinMax range;
  double sum = 0.0, sum_of_squares = 0.0;
};

/// One chunk: x[begin] to x[end - 1] of `type`, at most kSumChunk elements. 16-bit floats are widened, which
/// is exact.
extern const Kernel<Observation(const void* x, std::int64_t begin, std::int64_t end, FloatType type)>
    observe_chunk;

/// chunks[k] of elements [kSumChunk * k, kSumChunk * (k + 1)), for all chunks within [begin, end). `begin` is
/// a multiple of kSumChunk, so that threads share whole chunks; `end` too, or the element count.
void observe(const void* x, std::int64_t begin, std::int64_t end, Observation* chunks,
             FloatType type = FloatType::kFloat32);

/// The observation of all chunks together: sums added in ascending order.
Observation fold(std::span<const Observation> chunks);

}  // namespace samebits::kernels
