// Launchers of kernels/observe/observe_quantize.h and moving_average.h on CUDA, for files that nvcc does not
// compile.
#pragma once

#include <cstdint>

#include "kernels/observe/moving_average.h"
#include "kernels/observe/observe_quantize.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Room that `partials` must have.
constexpr std::int64_t kObservePartials = 4096;

/// Quantizes x[0, n) on `table` and writes its range to *range (with fold_relu that of max(x, 0)). Pointers
/// and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_observe_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n,
                                    MinMax* partials, MinMax* range, CUstream_st* stream);
const char* launch_observe_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                         MinMax* partials, MinMax* range, CUstream_st* stream);

struct MoveGridArgs {
  const float* range;  // min and max
  GridRule rule;
  GridState state;
  float* own_scale = nullptr;              // null: the grid in force for this batch is not wanted
  std::int32_t* own_zero_point = nullptr;  // null together with own_scale
  int* is_out_of_range;                    // 0 or 1 before; becomes 1 where move_grid() returns false
};

/// move_grid() with a range and a state of the device.
const char* launch_move_grid(const MoveGridArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
