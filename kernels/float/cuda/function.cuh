// kernels/float/function.h on CUDA: a thread makes four elements.
#pragma once

#include "kernels/float/cuda/rows.cuh"

namespace samebits::kernels::cuda {

/// args.function is kFunction. Launch with any number of blocks.
template <Function kFunction>
__global__ void __launch_bounds__(kThreads) apply_function(FunctionArgs args, std::int64_t n) {
  const float scales[] = {args.scales[0], args.scales[1], args.scales[2]};
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_quad(args.x + first, count, r);
#pragma unroll
    for (int i = 0; i < 4; ++i) r[i] = Formulas<ScalarOps>::apply<kFunction>(r[i], scales);
    store_quad(args.y + first, count, r);
  });
}

}  // namespace samebits::kernels::cuda
