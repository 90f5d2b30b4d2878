// The contract of kernels/observe/histogram.h's count() as a plain loop.
#include "kernels/observe/reference/histogram.h"

#include <math.h>

namespace samebits::kernels::reference {

namespace {

template <class Stored>
void count_as(const Stored* x, std::int64_t begin, std::int64_t end, Histogram& histogram) {
  const float half_low = histogram.range.half_low(), bins_per_half = histogram.range.bins_per_half();
  for (std::int64_t i = begin; i < end; ++i) {
    const float value = to_float(x[i]);
    if (isnan(value)) {
      ++histogram.nans;
      continue;
    }
    const float position = (value * 0.5f - half_low) * bins_per_half;
    std::int64_t bin = 0;
    if (position >= static_cast<float>(kHistogramBins))
      bin = kHistogramBins - 1;
    else if (position >= 0.0f)
      bin = static_cast<std::int64_t>(position);
    ++histogram.counts[bin];
  }
}

}  // namespace

void count(const void* x, std::int64_t begin, std::int64_t end, Histogram& histogram, FloatType type) {
  with_float_type(
      type, [&](auto stored) { count_as(static_cast<const decltype(stored)*>(x), begin, end, histogram); });
}

}  // namespace samebits::kernels::reference
