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

/// moving_average_update: takes *range into *average and writes the grid of it to *scale and *zero_point. A
/// range with an infinity changes nothing but *saw_infinity (0 or 1 before), which becomes 1.
const char* launch_moving_average(const MinMax* range, float c, std::int32_t qmin, std::int32_t qmax,
                                  bool symmetric, MovingAverage* average, float* scale,
                                  std::int32_t* zero_point, int* saw_infinity, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
