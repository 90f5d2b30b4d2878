// Launchers of kernels/quantize/fake_quantize.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/quantize/fake_quantize.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// fake_quantize of n elements. All pointers are the device's, the table's too. `saw_nan` (0 or 1 before,
/// or null) becomes 1 if there is a NaN. `only_if`: null, or a flag of the device; where it is 0 nothing
/// happens. Every launcher returns null or the launch's error text; none waits, allocates
/// or looks at values.
const char* launch_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                 int* saw_nan, CUstream_st* stream, const std::uint8_t* only_if = nullptr);

/// fake_quantize_backward of n elements.
const char* launch_fake_quantize_backward(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x,
                                          std::int64_t n, FloatType type, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
