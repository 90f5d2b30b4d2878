// kernels/float/reduce.h on CUDA.
#pragma once

#include "kernels/float/cuda/rows.cuh"

namespace samebits::kernels::cuda {

/// Sums, or largest elements, where args.shape.inner is 1. Any number of blocks.
template <bool kMax>
__global__ void __launch_bounds__(kThreads) reduce_rows(ReduceArgs args, std::int64_t rows) {
  for_each_row(rows, [&](std::int64_t row) {
    if constexpr (kMax)
      Rows<WarpOps>::max_row(args, row);
    else
      Rows<WarpOps>::sum_row(args, row);
  });
}

/// The same for any args.shape.inner and number of blocks.
template <bool kMax>
__global__ void __launch_bounds__(kThreads) reduce_columns(ReduceArgs args, std::int64_t rows) {
  for_each_column(rows, [&](std::int64_t row) {
    const float* const x = args.x + args.shape.begin(row);
    if constexpr (kMax)
      Columns<ScalarOps>::max_columns(args, x, args.y + row, 1);
    else
      Columns<ScalarOps>::sum_columns(args, x, args.y + row, 1);
  });
}

}  // namespace samebits::kernels::cuda
