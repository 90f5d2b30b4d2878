// Launcher of kernels/formats/codebook.h on CUDA, for files that nvcc does not compile.
#pragma once

#include <cstdint>

#include "kernels/formats/codebook.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// fake_quantize_codebook of n elements; the codebook is the host's. Pointers, `saw_nan` and the result as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, GridTable table,
                                          std::int64_t n, int* saw_nan, CUstream_st* stream);

}  // namespace samebits::kernels::cuda
