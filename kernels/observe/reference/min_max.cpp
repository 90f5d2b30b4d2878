// The contract of kernels/observe/min_max.h as a plain loop.
#include "kernels/observe/reference/min_max.h"

#include <math.h>

namespace samebits::kernels::reference {

MinMax min_max(const float* x, std::int64_t begin, std::int64_t end) {
  MinMax range;
  for (std::int64_t i = begin; i < end; ++i) {
    if (isnan(x[i])) {
      range.saw_nan = true;
      continue;
    }
    const float value = x[i] + 0.0f;  // -0 becomes +0: no bit depends on the order of zeros
    if (value < range.min) range.min = value;
    if (value > range.max) range.max = value;
  }
  return range;
}

}  // namespace samebits::kernels::reference
