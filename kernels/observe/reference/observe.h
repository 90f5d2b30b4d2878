#pragma once
#include "kernels/observe/observe.h"

namespace samebits::kernels::reference {

Observation observe_chunk(const void* x, std::int64_t begin, std::int64_t end, FloatType type);

/// min_max of any stored type.
template <class Stored>
MinMax range_of(const Stored* x, std::int64_t begin, std::int64_t end) {
  MinMax range;
  for (std::int64_t i = begin; i < end; ++i) {
    const float value = to_float(x[i]) + 0.0f;  // -0 becomes +0: no bit depends on the order of zeros
    range.saw_nan = range.saw_nan || std::isnan(value);
    if (value < range.min) range.min = value;
    if (value > range.max) range.max = value;
  }
  return range;
}

}  // namespace samebits::kernels::reference
