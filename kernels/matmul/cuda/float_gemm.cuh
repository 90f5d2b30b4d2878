// kernels/matmul/float_gemm.h on CUDA: the tiles of kernels/common/cuda/float_tile.cuh, whose rows are those
// of x and whose columns are output channels.
#pragma once

#include "kernels/common/cuda/float_tile.cuh"
#include "kernels/matmul/cuda/float_gemm.h"

namespace samebits::kernels::cuda {

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) float_linear(FloatLinearArgs args) {
  alignas(16) __shared__ FloatStage rows;
  alignas(16) __shared__ FloatStage columns;
  const std::int64_t across = (args.n + kFloatTile - 1) / kFloatTile;
  const std::int64_t tiles = (args.m + kFloatTile - 1) / kFloatTile * across;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t first_row = tile / across * kFloatTile, first_column = tile % across * kFloatTile;
    FloatLines x{args.x, args.k, 0, 0}, weight{args.weight, args.k, 0, 0};
    x.begin(first_row, args.m);
    weight.begin(first_column, args.n);
    FloatChains chains;
    chains.run(x, weight, args.k, rows, columns);
    const std::int64_t column = first_column + threadIdx.x % 16 * 4, left = args.n - column;
    const int count = static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const std::int64_t row = first_row + threadIdx.x / 16 * 4 + i;
      if (row >= args.m || count == 0) continue;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (j < count) chains.t[i][j] = end_chain(chains.t[i][j], args.channel_scale, args.bias, column + j);
      store_quad(args.y + row * args.n + column, count, chains.t[i]);
    }
  }
}

}  // namespace samebits::kernels::cuda
