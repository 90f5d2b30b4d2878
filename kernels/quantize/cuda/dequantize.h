// Launcher of kernels/quantize/dequantize.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// dequantize of n codes to y of `type`; pointers and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_dequantize(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t n,
                              FloatType type, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
