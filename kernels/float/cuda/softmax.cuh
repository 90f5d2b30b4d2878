// kernels/float/softmax.h on CUDA.
#pragma once

#include "kernels/float/cuda/rows.cuh"
#include "kernels/float/softmax.h"

namespace samebits::kernels::cuda {

/// args.shape.inner is 1. Any number of blocks.
template <bool kLog>
__global__ void __launch_bounds__(kThreads) softmax_rows(SoftmaxArgs args, std::int64_t rows) {
  const std::int64_t n = args.shape.n;
  for_each_row(
      rows, [&](std::int64_t row) { Rows<WarpOps>::softmax<kLog>(args.x + row * n, args.y + row * n, n); });
}

/// Any args.shape.inner and number of blocks.
template <bool kLog>
__global__ void __launch_bounds__(kThreads) softmax_columns(SoftmaxArgs args, std::int64_t rows) {
  for_each_column(rows, [&](std::int64_t row) {
    const std::int64_t first = args.shape.begin(row);
    Columns<ScalarOps>::softmax<kLog>(args.x + first, args.y + first, args.shape, 1);
  });
}

}  // namespace samebits::kernels::cuda
