// grid_of_range of kernels/common/affine.h for many ranges of the device: what weights and static observers
// make grids with.
#pragma once

#include <math.h>

#include <limits>

#include "kernels/common/affine.h"
#include "kernels/common/cuda/launch.h"
#include "kernels/observe/cuda/grid_of_range.h"

namespace samebits::kernels::cuda {

/// A thread a range. Where an end is not finite, no grid covers the range: scale is NaN, so that all it
/// touches raises the NaN flag, and zero_point is qmin. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) grids_of_ranges(GridsOfRangesArgs args) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < args.count; i += stride) {
    const float min = args.min[i], max = args.max[i];
    if (!isfinite(min) || !isfinite(max)) {
      args.scale[i] = std::numeric_limits<float>::quiet_NaN();
      args.zero_point[i] = args.qmin;
      atomicOr(args.saw_infinity, 1);
      continue;
    }
    const AffineGrid grid = grid_of_range(min, max, args.qmin, args.qmax, args.symmetric);
    args.scale[i] = grid.scale;
    args.zero_point[i] = grid.zero_point;
  }
}

}  // namespace samebits::kernels::cuda
