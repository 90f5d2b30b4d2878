// Launchers of kernels/formats/mx.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/formats/mx.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// fake_quantize_mx of `row_count` whole rows; pointers, `saw_nan` and the result as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows,
                                    std::int64_t row_count, int* saw_nan, CUstream_st* stream);

/// decode_mx_blocks of `row_count` whole rows.
const char* launch_decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y,
                                    const MxFormat& format, const MxRows& rows, std::int64_t row_count,
                                    CUstream_st* stream);

}  // namespace samebits::kernels::cuda
