// Launchers of kernels/formats/fake_quantize_float.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/formats/fake_quantize_float.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// fake_quantize_float of n elements; pointers, `saw_nan` and the result as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                                       GridTable table, std::int64_t n, int* saw_nan, CUstream_st* stream);

/// decode_float_run of n codes with the scales of a table.
const char* launch_decode_floats(const std::uint8_t* codes, float* y, const FloatFormat& format,
                                 GridTable table, std::int64_t n, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
