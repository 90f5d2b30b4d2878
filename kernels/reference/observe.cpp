// The contract of kernels/observe.h as a plain loop.
#include "kernels/reference/observe.h"

#include "kernels/reference/min_max.h"

namespace samebits::kernels::reference {

Observation observe_chunk(const float* x, std::int64_t begin, std::int64_t end) {
  LaneSums sums, squares;
  for (std::int64_t i = begin; i < end; ++i) {
    const double value = std::isnan(x[i]) ? 0.0 : double{x[i]};
    sums.add(i - begin, value);
    squares.add(i - begin, value * value);
  }
  return {reference::min_max(x, begin, end), with_one_nan(sums.fold()), squares.fold()};
}

}  // namespace samebits::kernels::reference
