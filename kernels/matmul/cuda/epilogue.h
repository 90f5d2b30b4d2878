// Launchers of kernels/matmul/epilogue.h on CUDA, for files that nvcc does not compile: what becomes of the
// int32 sums that a matrix product left in memory.
#pragma once

#include <cstdint>

#include "kernels/common/grid_table.h"
#include "kernels/matmul/epilogue.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// m rows of n sums. Pointers are the device's.
struct EpilogueArgs {
  const std::int32_t* sums;
  std::int64_t sums_stride;  // elements between two rows
  std::int64_t m, n;
  ChannelTerms terms;              // one entry a column, or a row when channels_are_rows
  bool channels_are_rows = false;  // then terms.bias is by rows, too
  bool relu = false;               // as kernels/float/relu.h
  void* output;                    // float or int8, row-major
  std::int64_t output_stride;      // elements between two rows
};

/// y = float(sum - correction) * scale + bias, each operation rounded, then relu: float. The result is null
/// or the launch's error text, as in kernels/quantize/cuda/fake_quantize.h.
const char* launch_epilogue(const EpilogueArgs& args, CUstream_st* stream);

/// The code of that y on the one grid of `grid` (a true quotient): int8, NaN as zero point. `saw_nan` (0 or 1
/// before) becomes 1 if a y is NaN.
const char* launch_epilogue_codes(const EpilogueArgs& args, const GridTable& grid, int* saw_nan,
                                  CUstream_st* stream);

}  // namespace samebits::kernels::cuda
