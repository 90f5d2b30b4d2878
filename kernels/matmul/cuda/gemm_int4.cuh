// kernels/matmul/gemm_int4.h on CUDA. A block makes a tile of y from steps of 32 codes in shared memory,
// fetching the next step while it multiplies; a thread makes four columns of a few rows. One order of float
// operations, that of the contract: nothing depends on the launch.
#pragma once

#include "kernels/matmul/cuda/gemm_tile.cuh"
#include "kernels/matmul/epilogue.h"

namespace samebits::kernels::cuda {

constexpr int kCodeRows = 64;  // of a block; a thread makes 4 x 4

/// Sums of a thread within a group, and its totals over groups.
struct CodeSums {
  std::int32_t products[4][4] = {};  // [row][column]: of a and centered weights
  std::int32_t weights[4] = {};      // of centered weights
  float totals[4][4] = {};

  /// One step. `rows` and `columns` point at the thread's first word.
  __device__ void add_step(const unsigned* rows, const unsigned* columns) {
#pragma unroll
    for (int word = 0; word < kStepWords; ++word) {
      unsigned a[4], b[4];
      load_words(rows + word * kPaddedColumns, a);
      load_words(columns + word * kPaddedColumns, b);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        weights[j] = dot4(0x01010101u, b[j], weights[j]);
#pragma unroll
        for (int i = 0; i < 4; ++i) products[i][j] = dot4(a[i], b[j], products[i][j]);
      }
    }
  }

  /// Takes the group's sums into the totals and starts anew. a_scale: null with groups.
  __device__ void end_group(std::int32_t a_zero_point, const float* a_scale, const float (&scale)[4],
                            const float (&channel_scale)[4]) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::int32_t correction = a_zero_point * weights[j];
      const float factor = sum_scale(a_scale == nullptr ? 1.0f : __ldg(a_scale), scale[j], channel_scale[j]);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float term = static_cast<float>(products[i][j] - correction) * factor;
        totals[i][j] = a_scale == nullptr ? totals[i][j] + term : term;
        products[i][j] = 0;
      }
      weights[j] = 0;
    }
  }
};

/// Of columns [column, column + 4): 1 where there is none.
__device__ inline void load_channel_scales(const GemmCodesArgs& args, std::int64_t column,
                                           float (&scale)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
    scale[i] = args.channel_scale == nullptr || column + i >= args.b.shape.n
                   ? 1.0f
                   : __ldg(args.channel_scale + column + i);
}

/// What a thread fetches: the lower half of the block codes of a, the upper half weights; two threads a line.
template <CodeFormat format>
__device__ CodeWords fetch_codes(const GemmCodesArgs& args, std::int64_t row_begin, std::int64_t column_begin,
                                 const DepthSteps::Step& step) {
  const int line = static_cast<int>(threadIdx.x) % 128 / 2;
  const std::int64_t k = step.begin + threadIdx.x % 2 * kLoadCodes;
  if (threadIdx.x >= 128) return load_weight<format>(args.b, column_begin + line, k, step);
  const std::int64_t row = row_begin + line;
  const int count = row < args.m ? codes_left(k, step) : 0;
  return count == 0 ? CodeWords{} : load_bytes(args.a + row * args.a_stride + k, count);
}

/// args.b.format is `format`. Launch with any number of blocks.
template <CodeFormat format>
__global__ void __launch_bounds__(kThreads) gemm_codes(GemmCodesArgs args) {
  alignas(16) __shared__ unsigned rows[kStepWords][kPaddedColumns];
  alignas(16) __shared__ unsigned columns[kStepWords][kPaddedColumns];
  const Int4Shape& shape = args.b.shape;
  const DepthSteps steps(shape);
  const bool has_groups = shape.group_size != 0;
  const float* const folded_scale = has_groups ? nullptr : args.a_scale;
  const int line = static_cast<int>(threadIdx.x) % 128 / 2, half = static_cast<int>(threadIdx.x) % 2;
  const int x = static_cast<int>(threadIdx.x) % 16 * 4, y = static_cast<int>(threadIdx.x) / 16 * 4;
  const std::int64_t tiles_across = (shape.n + kTileColumns - 1) / kTileColumns;
  const std::int64_t tiles = (args.m + kCodeRows - 1) / kCodeRows * tiles_across;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t row_begin = tile / tiles_across * kCodeRows;
    const std::int64_t column_begin = tile % tiles_across * kTileColumns;
    CodeSums sums;
    CodeWords fetched =
        steps.count == 0 ? CodeWords{} : fetch_codes<format>(args, row_begin, column_begin, steps.at(0));
    for (std::int64_t i = 0; i < steps.count; ++i) {
      const DepthSteps::Step step = steps.at(i);
      __syncthreads();
      stage(threadIdx.x < 128 ? rows : columns, line, half, fetched);
      __syncthreads();
      if (i + 1 < steps.count) fetched = fetch_codes<format>(args, row_begin, column_begin, steps.at(i + 1));
      sums.add_step(&rows[0][y], &columns[0][x]);
      if (!step.ends_group) continue;
      float scale[4], channel_scale[4];
      load_scales(args.b, column_begin + x, step.group, scale);
      load_channel_scales(args, column_begin + x, channel_scale);
      sums.end_group(__ldg(args.a_zero_point), folded_scale, scale, channel_scale);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float(&totals)[4] = sums.totals[i];
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (has_groups) totals[j] = totals[j] * __ldg(args.a_scale);
      const std::int64_t row = row_begin + y + i;
      finish_quad(args.output, shape.n, row < args.m, row, column_begin + x, totals);
    }
  }
}

}  // namespace samebits::kernels::cuda
