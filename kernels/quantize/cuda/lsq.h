// Launcher of kernels/quantize/lsq.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/quantize/lsq.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// lsq_backward of all slots and lsq_fold, for n > 0 elements; `sums` is room for LsqLayout(table, n).slots()
/// of them. Pointers, `saw_nan` and the result as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_lsq_backward(const LsqArgs& args, const GridTable& table, std::int64_t n, LsqSums* sums,
                                float* grad_scale, float* grad_zero_point, int* saw_nan, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
