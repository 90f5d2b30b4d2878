// kernels/relu.h on CUDA: a thread makes four elements, two threads a byte of the mask.
#pragma once

#include "kernels/cuda/quads.cuh"
#include "kernels/relu.h"

namespace samebits::kernels::cuda {

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) relu(ReluArgs args, std::int64_t n) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_quad(args.x + first, count, r);
    unsigned clip_bits = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      clip_bits |= static_cast<unsigned>(r[i] <= 0.0f) << i;
      if (r[i] < 0.0f) r[i] = 0.0f;
    }
    store_quad(args.y + first, count, r);
    store_clip_bits(args.clip_mask, first, count, clip_bits);
  });
}

}  // namespace samebits::kernels::cuda
