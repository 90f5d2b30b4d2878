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

/// Where the range of a batch goes.
struct RangeOutputs {
  MinMax* partials;             // room for kObservePartials
  float* range;                 // min and max
  std::uint8_t* saw_nan;        // 0 or 1
  const int* raised = nullptr;  // null, or a flag: saw_nan is 1 also where it is not 0
};

/// Quantizes x[0, n) on `table` and writes its range (with fold_relu that of max(x, 0)). Pointers and the
/// result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_observe_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n,
                                    const RangeOutputs& out, CUstream_st* stream);
const char* launch_observe_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                         const RangeOutputs& out, CUstream_st* stream);

/// The grid in force for a batch: that of before, or its own where it is the first.
struct BatchGrid {
  float scale;
  std::int32_t zero_point;
  std::uint8_t is_first;  // 0 or 1
};

struct MoveGridArgs {
  const float* range;  // min and max
  GridRule rule;
  GridState state;
  BatchGrid* own = nullptr;              // null: not wanted
  std::uint8_t* is_out_of_range;         // 1 where move_grid() returns false, else 0
  const std::uint8_t* raised = nullptr;  // null, or a flag: is_out_of_range is 1 also where it is not 0
};

/// move_grid() with a range and a state of the device.
const char* launch_move_grid(const MoveGridArgs& args, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
