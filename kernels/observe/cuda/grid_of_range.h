// Launcher of grid_of_range (kernels/common/affine.h) on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Ranges and what becomes of them. Pointers are the device's.
struct GridsOfRangesArgs {
  const float *min, *max;
  std::int64_t count;
  std::int32_t qmin, qmax;
  bool symmetric;
  float* scale;
  std::int32_t* zero_point;
  int* saw_infinity;  // 0 or 1 before
};

/// The grids of all ranges. A range with an end that is not finite (nothing was observed, or an infinity)
/// gets the scale NaN and sets *saw_infinity to 1. The result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_grids_of_ranges(const GridsOfRangesArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
