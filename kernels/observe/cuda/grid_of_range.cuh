// grid_of_range of kernels/common/affine.h for many ranges of the device: what weights and static observers
// make grids with.
#pragma once

#include <math.h>

#include <limits>

#include "kernels/common/affine.h"
#include "kernels/common/cuda/launch.h"

namespace samebits::kernels::cuda {

/// What makes a grid besides its range.
struct GridRule {
  std::int32_t qmin, qmax;
  bool symmetric;
};

/// scale[i] and zero_point[i] of the range [min[i], max[i]], a thread each. Where an end is not finite, no
/// grid covers the range: scale is NaN, so that all it touches raises the NaN flag, zero_point is qmin, and
/// `saw_infinity` becomes 1. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    grids_of_ranges(const float* min, const float* max, std::int64_t count, GridRule rule, float* scale,
                    std::int32_t* zero_point, int* saw_infinity) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < count; i += stride) {
    if (!isfinite(min[i]) || !isfinite(max[i])) {
      scale[i] = std::numeric_limits<float>::quiet_NaN();
      zero_point[i] = rule.qmin;
      atomicOr(saw_infinity, 1);
      continue;
    }
    const AffineGrid grid = grid_of_range(min[i], max[i], rule.qmin, rule.qmax, rule.symmetric);
    scale[i] = grid.scale;
    zero_point[i] = grid.zero_point;
  }
}

}  // namespace samebits::kernels::cuda
