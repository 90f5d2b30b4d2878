// Launchers of kernels/formats/fake_quantize_small_float.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/formats/fake_quantize_small_float.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// fake_quantize_small_float of n elements; pointers, `saw_nan` and the result as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_fake_quantize_small_float(const SmallFloatArgs& args, const SmallFloat& format,
                                             Overflow overflow, GridTable table, std::int64_t n, int* saw_nan,
                                             CUstream_st* stream);

/// decode_small_float_run of n codes with the scales of a table.
const char* launch_decode_small_floats(const std::uint8_t* codes, float* y, const SmallFloat& format,
                                       GridTable table, std::int64_t n, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
