// kernels/matmul/gemm_int4.h on CUDA. A block makes a tile of y from steps of 32 codes in shared memory,
// which the tensor cores multiply while it fetches the next; sums of a group are exact, and a thread takes
// those of its outputs into float totals, groups ascending. One order of float operations, that of the
// contract: nothing depends on the launch.
#pragma once

#include "kernels/matmul/cuda/gemm_tile.cuh"
#include "kernels/matmul/cuda/mma_int8.cuh"
#include "kernels/matmul/epilogue.h"

namespace samebits::kernels::cuda {

constexpr int kCodeRows = 64;  // of a block; a warp makes 32 x 16 outputs
constexpr int kCodeWarpRows = kCodeRows / 32,
              kCodeColumns = kTileColumns / 8 / (kThreads / 32 / kCodeWarpRows);
constexpr int kStepLine =
    kStepWords + 4;  // room of a staged line: lines of a fragment lie in different banks

/// What a block stages of one step.
struct CodeStage {
  alignas(16) unsigned rows[kCodeRows][kStepLine];
  alignas(16) unsigned columns[kTileColumns][kStepLine];
  std::int32_t sums[kTileColumns];  // of a column's centered codes
  float scales[kTileColumns];       // of the group's sums
};

/// What a thread fetches, 16 codes of a line: the lower half of the block codes of a, the upper half weights.
struct CodeStep {
  CodeWords codes;
  float scale = 0.0f;

  __device__ static int line() { return static_cast<int>(threadIdx.x) % 128 / 2; }

  template <CodeFormat format>
  __device__ void fetch(const GemmCodesArgs& args, std::int64_t row_begin, std::int64_t column_begin,
                        const DepthSteps::Step& step) {
    const std::int64_t k = step.begin + threadIdx.x % 2 * kLoadCodes;
    if (threadIdx.x < 128) {
      const std::int64_t row = row_begin + line();
      const int count = row < args.m ? codes_left(k, step) : 0;
      codes = count == 0 ? CodeWords{} : load_bytes(args.a + row * args.a_stride + k, count);
      return;
    }
    const std::int64_t column = column_begin + line();
    codes = load_weight<format>(args.b, column, k, step);
    if (step.ends_group && column < args.b.shape.n)
      scale = sum_scale(args.b.shape.group_size != 0 ? 1.0f : __ldg(args.a_scale),
                        __ldg(args.b.scale + column * args.b.shape.groups() + step.group),
                        args.channel_scale == nullptr ? 1.0f : __ldg(args.channel_scale + column));
  }
  /// For all threads of the block.
  __device__ void stage(CodeStage& to) const {
    unsigned* const words = (threadIdx.x < 128 ? to.rows : to.columns)[line()] + threadIdx.x % 2 * 4;
    *reinterpret_cast<uint4*>(words) = {codes.word[0], codes.word[1], codes.word[2], codes.word[3]};
    if (threadIdx.x < 128) return;
    std::int32_t sum = 0;
#pragma unroll
    for (const unsigned word : codes.word) sum = dot4(0x01010101u, word, sum);
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    if (threadIdx.x % 2 != 0) return;
    to.sums[line()] = sum;
    to.scales[line()] = scale;
  }
};

/// Sums of a warp within a group, 32 rows times kCodeColumns * 8, and its totals over groups.
struct CodeSums {
  FragmentSums products[2][kCodeColumns];      // of a and centered weights
  std::int32_t weights[kCodeColumns][2] = {};  // of centered weights
  float totals[2][kCodeColumns][4] = {};

  /// One step. Rows and columns begin at the warp's.
  __device__ void add_step(const unsigned (*rows)[kStepLine], const unsigned (*columns)[kStepLine],
                           const std::int32_t* column_sums) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
    FragmentA a[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      a[i] = {{rows[16 * i + g][t], rows[16 * i + g + 8][t], rows[16 * i + g][t + 4],
               rows[16 * i + g + 8][t + 4]}};
#pragma unroll
    for (int j = 0; j < kCodeColumns; ++j) {
      const FragmentB b{{columns[8 * j + g][t], columns[8 * j + g][t + 4]}};
#pragma unroll
      for (int i = 0; i < 2; ++i) multiply_fragments(a[i], b, products[i][j]);
#pragma unroll
      for (int e = 0; e < 2; ++e) weights[j][e] += column_sums[8 * j + 2 * t + e];
    }
  }

  /// Takes the group's sums into the totals and starts anew.
  __device__ void end_group(std::int32_t a_zero_point, bool has_groups, const float* scales) {
    const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int j = 0; j < kCodeColumns; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const std::int32_t correction = a_zero_point * weights[j][e];
        const float scale = scales[8 * j + 2 * t + e];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          std::int32_t& product = products[i / 2][j].sum[i % 2 * 2 + e];
          float& total = totals[i / 2][j][i % 2 * 2 + e];
          const float term = static_cast<float>(product - correction) * scale;
          total = has_groups ? total + term : term;
          product = 0;
        }
        weights[j][e] = 0;
      }
  }
};

/// Bias, relu and store of two neighbours of a row.
__device__ inline void finish_pair(const Int4Output& output, std::int64_t n, std::int64_t row,
                                   std::int64_t column, float (&y)[2]) {
  const int count = static_cast<int>(n - column < 2 ? n - column : 2);
  if (count <= 0) return;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (output.bias != nullptr && i < count) y[i] = y[i] + __ldg(output.bias + column + i);
    if (output.relu && y[i] < 0.0f) y[i] = 0.0f;
  }
  float* const to = output.y + row * output.stride + column;
  if (count == 2 && is_aligned<float2>(to)) {
    *reinterpret_cast<float2*>(to) = {y[0], y[1]};
    return;
  }
  to[0] = y[0];
  if (count == 2) to[1] = y[1];
}

/// args.b.format is `format`. Launch with any number of blocks.
template <CodeFormat format>
__global__ void __launch_bounds__(kThreads, 2) gemm_codes(GemmCodesArgs args) {
  __shared__ CodeStage stages[2];
  const Int4Shape& shape = args.b.shape;
  const DepthSteps steps(shape);
  const bool has_groups = shape.group_size != 0;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int own_row = warp % kCodeWarpRows * 32, own_column = warp / kCodeWarpRows * kCodeColumns * 8;
  const std::int64_t tiles_across = (shape.n + kTileColumns - 1) / kTileColumns;
  const std::int64_t tiles = (args.m + kCodeRows - 1) / kCodeRows * tiles_across;
  int buffer = 0;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t row_begin = tile / tiles_across * kCodeRows;
    const std::int64_t column_begin = tile % tiles_across * kTileColumns;
    CodeSums sums;
    CodeStep fetched;
    DepthSteps::Step step = steps.first();
    if (steps.count > 0) fetched.fetch<format>(args, row_begin, column_begin, step);
    for (std::int64_t i = 0; i < steps.count; ++i, buffer ^= 1) {
      CodeStage& stage = stages[buffer];
      fetched.stage(stage);
      __syncthreads();  // what the other stage held was read before the barrier of the step before
      const bool ends_group = step.ends_group;
      step = steps.after(step);
      if (i + 1 < steps.count) fetched.fetch<format>(args, row_begin, column_begin, step);
      sums.add_step(&stage.rows[own_row], &stage.columns[own_column], &stage.sums[own_column]);
      if (ends_group) sums.end_group(__ldg(args.a_zero_point), has_groups, &stage.scales[own_column]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const std::int64_t row = row_begin + own_row + i / 2 * 16 + i % 2 * 8 + lane / 4;
      if (row >= args.m) continue;
#pragma unroll
      for (int j = 0; j < kCodeColumns; ++j) {
        float y[2] = {sums.totals[i / 2][j][i % 2 * 2], sums.totals[i / 2][j][i % 2 * 2 + 1]};
        if (has_groups) y[0] = y[0] * __ldg(args.a_scale), y[1] = y[1] * __ldg(args.a_scale);
        finish_pair(args.output, shape.n, row, column_begin + own_column + 8 * j + lane % 4 * 2, y);
      }
    }
  }
}

}  // namespace samebits::kernels::cuda
