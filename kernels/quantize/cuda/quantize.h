// Launcher of kernels/quantize/quantize.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/quantize/quantize.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// quantize of n elements; pointers, `saw_nan`, `only_if` and the result as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n, int* saw_nan,
                            CUstream_st* stream, const std::uint8_t* only_if = nullptr);

}  // namespace samebits::kernels::cuda
