#include "kernels/observe/cuda/grid_of_range.h"

#include "kernels/observe/cuda/grid_of_range.cuh"

namespace samebits::kernels::cuda {

const char* launch_grids_of_ranges(const float* min, const float* max, std::int64_t count, std::int32_t qmin,
                                   std::int32_t qmax, bool symmetric, float* scale, std::int32_t* zero_point,
                                   int* saw_infinity, CUstream_st* stream) {
  if (count == 0) return nullptr;
  return launch(grids_of_ranges, blocks_for(count, kThreads), stream, min, max, count,
                GridRule{qmin, qmax, symmetric}, scale, zero_point, saw_infinity);
}

}  // namespace samebits::kernels::cuda
