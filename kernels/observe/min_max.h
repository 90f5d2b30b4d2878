// The range of a run of floats: what observers and weight grids are made from.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/common/host_device.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// NaNs are left out of min and max and raise the flag. An empty run has min +inf and max -inf. A zero is +0.
struct MinMax {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  bool saw_nan = false;
};

extern const Kernel<MinMax(const float* x, std::int64_t begin, std::int64_t end)> min_max;

/// The range of two runs together; the order does not matter.
SAMEBITS_HOST_DEVICE inline MinMax merge(const MinMax& a, const MinMax& b) {
  return {a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max, a.saw_nan || b.saw_nan};
}

}  // namespace samebits::kernels
