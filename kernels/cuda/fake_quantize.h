// Launchers of kernels/cuda/fake_quantize.cuh, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/grid_table.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// Pointers are of the device, the table's too; zero_point is not null. `saw_nan` is 0 or 1 before. Does not
/// synchronize. Returns the launch's error text, or null.
const char* launch_fake_quantize(const float* x, float* y, std::uint8_t* clip_mask, const GridTable& table,
                                 std::int64_t n, int* saw_nan, CUstream_st* stream);
const char* launch_fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                                          std::int64_t n, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
