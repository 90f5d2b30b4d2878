// gemm_float_int4 of kernels/matmul/gemm_int4.h on CUDA: tiles and steps as in gemm_int4.cuh, x in float32.
// The only kernel that fuses, by __fmaf_rn, where the contract says so.
#pragma once

#include "kernels/matmul/cuda/gemm_float_int4.h"
#include "kernels/matmul/cuda/gemm_tile.cuh"

namespace samebits::kernels::cuda {

constexpr int kFloatRows = 32;                // of a block; a thread makes 2 x 4
constexpr int kPaddedDepth = kStepDepth + 4;  // of a staged row of floats

/// The four sums of each output within a group, and its totals over groups.
struct FloatSums {
  float parts[2][4][4] = {};  // [row][column][k % 4]
  float totals[2][4] = {};

  /// One step. `rows`: two rows of floats, kPaddedDepth apart.
  __device__ void add_step(const float* rows, const unsigned* columns) {
#pragma unroll
    for (int word = 0; word < kStepWords; ++word) {
      float x[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float4 v = *reinterpret_cast<const float4*>(rows + i * kPaddedDepth + 4 * word);
        x[i][0] = v.x, x[i][1] = v.y, x[i][2] = v.z, x[i][3] = v.w;
      }
      unsigned b[4];
      load_words(columns + word * kPaddedColumns, b);
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int part = 0; part < 4; ++part) {
          const float weight = static_cast<float>(byte_of(b[j], part));
#pragma unroll
          for (int i = 0; i < 2; ++i) parts[i][j][part] = __fmaf_rn(x[i][part], weight, parts[i][j][part]);
        }
    }
  }

  /// Takes the group's sums into the totals and starts anew.
  __device__ void end_group(const float (&scale)[4]) {
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float(&part)[4] = parts[i][j];
        totals[i][j] = __fmaf_rn((part[0] + part[1]) + (part[2] + part[3]), scale[j], totals[i][j]);
        part[0] = part[1] = part[2] = part[3] = 0.0f;
      }
  }
};

/// What a thread fetches: four values of x, and, in the lower half of the block, weights.
struct FloatStep {
  float x[4];
  CodeWords weights;
};
template <class Stored, CodeFormat format>
__device__ FloatStep fetch_floats(const GemmFloatArgs& args, std::int64_t row_begin,
                                  std::int64_t column_begin, const DepthSteps::Step& step) {
  FloatStep fetched{};
  const std::int64_t row = row_begin + threadIdx.x / kStepWords;
  const std::int64_t k = step.begin + threadIdx.x % kStepWords * 4;
  const int left = codes_left(k, step), count = row >= args.m ? 0 : left < 4 ? left : 4;
  if (count > 0) load_reals<Stored>(args.x, row * args.x_stride + k, count, fetched.x);
  if (threadIdx.x < 128)
    fetched.weights = load_weight<format>(args.b, column_begin + threadIdx.x / 2,
                                          step.begin + threadIdx.x % 2 * kLoadCodes, step);
  return fetched;
}

/// args.x_type is Stored, args.b.format is `format`. Launch with any number of blocks.
template <class Stored, CodeFormat format>
__global__ void __launch_bounds__(kThreads) gemm_float_int4(GemmFloatArgs args) {
  alignas(16) __shared__ float rows[kFloatRows][kPaddedDepth];
  alignas(16) __shared__ unsigned columns[kStepWords][kPaddedColumns];
  const Int4Shape& shape = args.b.shape;
  const DepthSteps steps(shape);
  const int thread = static_cast<int>(threadIdx.x), x = thread % 16 * 4, y = thread / 16 * 2;
  const std::int64_t tiles_across = (shape.n + kTileColumns - 1) / kTileColumns;
  const std::int64_t tiles = (args.m + kFloatRows - 1) / kFloatRows * tiles_across;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t row_begin = tile / tiles_across * kFloatRows;
    const std::int64_t column_begin = tile % tiles_across * kTileColumns;
    FloatSums sums;
    FloatStep fetched{};
    if (steps.count > 0) fetched = fetch_floats<Stored, format>(args, row_begin, column_begin, steps.at(0));
    for (std::int64_t i = 0; i < steps.count; ++i) {
      const DepthSteps::Step step = steps.at(i);
      __syncthreads();
      store_quad(&rows[thread / kStepWords][thread % kStepWords * 4], 4, fetched.x);
      if (thread < 128) stage(columns, thread / 2, thread % 2, fetched.weights);
      __syncthreads();
      if (i + 1 < steps.count)
        fetched = fetch_floats<Stored, format>(args, row_begin, column_begin, steps.at(i + 1));
      sums.add_step(rows[y], &columns[0][x]);
      if (!step.ends_group) continue;
      float scale[4];
      load_scales(args.b, column_begin + x, step.group, scale);
      sums.end_group(scale);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
      finish_quad(args.output, shape.n, row_begin + y + i < args.m, row_begin + y + i, column_begin + x,
                  sums.totals[i]);
  }
}

}  // namespace samebits::kernels::cuda
