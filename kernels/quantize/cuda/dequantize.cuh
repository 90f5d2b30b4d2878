// kernels/quantize/dequantize.h on CUDA: a thread makes four reals of four codes.
#pragma once

#include "kernels/common/affine.h"
#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"

namespace samebits::kernels::cuda {

/// y is of type Stored. Launch with any number of blocks.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    dequantize(const std::int8_t* codes, Stored* y, Grids grids, std::int64_t n) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    if (count == 0) return;
    std::int8_t quad[4];
    load_quad(codes + first, count, quad);
    auto walk = grids.walk(first);
    float r[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      r[i] = kernels::dequantize(quad[i], walk.grid);
      if (i + 1 < count) walk.advance();
    }
    store_reals<Stored>(y, first, count, r);
  });
}

}  // namespace samebits::kernels::cuda
