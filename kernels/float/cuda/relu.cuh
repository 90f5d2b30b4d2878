// kernels/float/relu.h on CUDA: a thread makes four elements, two threads a byte of the mask.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/float/relu.h"

namespace samebits::kernels::cuda {

/// args.type is Stored. Launch with any number of blocks.
template <class Stored>
__global__ void __launch_bounds__(kThreads) relu(ReluArgs args, std::int64_t n) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    Stored r[4];
    load_quad(static_cast<const Stored*>(args.x) + first, count, r);
    unsigned clip_bits = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float value = to_float(r[i]);
      clip_bits |= static_cast<unsigned>(value <= 0.0f) << i;
      if (value < 0.0f) r[i] = Stored();
    }
    store_quad(static_cast<Stored*>(args.y) + first, count, r);
    store_clip_bits(args.clip_mask, first, count, clip_bits);
  });
}

}  // namespace samebits::kernels::cuda
