// Float products of which each output is one chain of fused multiply-adds over k ascending: a block makes a
// tile of 64 x 64 outputs from steps of 16 in shared memory, a thread 4 x 4 of them. No sum is ever split, so
// nothing depends on the launch. A last step that is shorter multiplies no padding, since fma(0, 0, -0) is
// +0.
#pragma once

#include <math.h>

#include "kernels/common/cuda/quads.cuh"

namespace samebits::kernels::cuda {

constexpr int kFloatTile = 64;   // rows and columns of a block
constexpr int kFloatDepth = 16;  // of a step
constexpr int kFloatLine = kFloatTile + 4;
using FloatStage = float[kFloatDepth][kFloatLine];

/// A block a tile.
inline unsigned blocks_for_float_tiles(std::int64_t rows, std::int64_t columns, std::int64_t groups = 1) {
  const std::int64_t down = (rows + kFloatTile - 1) / kFloatTile,
                     across = (columns + kFloatTile - 1) / kFloatTile;
  return blocks_for(down * across * groups, 1);
}

/// Lines of `depth` floats, one behind the other: an operand as it stands in memory. A thread fetches four
/// neighbours of a line.
struct FloatLines {
  const float* data;
  std::int64_t depth;
  std::int64_t line, end;  // of this thread, and behind the last one

  __device__ void begin(std::int64_t first, std::int64_t last) {
    line = first + threadIdx.x / 4;
    end = last;
  }
  __device__ void fetch(std::int64_t k, float (&r)[4]) const {
    const std::int64_t first = k + threadIdx.x % 4 * 4, left = line < end ? depth - first : 0;
    load_quad(data + line * depth + first, static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4), r);
  }
  __device__ static void stage(FloatStage& tile, const float (&r)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) tile[threadIdx.x % 4 * 4 + i][threadIdx.x / 4] = r[i];
  }
};

/// The chains of a thread.
struct FloatChains {
  float t[4][4] = {};  // [row][column]

  __device__ void add(const FloatStage& rows, const FloatStage& columns, int p) {
    const float4 of_rows = *reinterpret_cast<const float4*>(&rows[p][threadIdx.x / 16 * 4]);
    const float4 of_columns = *reinterpret_cast<const float4*>(&columns[p][threadIdx.x % 16 * 4]);
    const float a[4] = {of_rows.x, of_rows.y, of_rows.z, of_rows.w};
    const float b[4] = {of_columns.x, of_columns.y, of_columns.z, of_columns.w};
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) t[i][j] = __fmaf_rn(a[i], b[j], t[i][j]);
  }
  /// All of a depth. `rows` and `columns` have begun.
  template <class Rows, class Columns>
  __device__ void run(const Rows& rows, const Columns& columns, std::int64_t depth, FloatStage& row_tile,
                      FloatStage& column_tile) {
    float of_rows[4], of_columns[4];
    rows.fetch(0, of_rows);
    columns.fetch(0, of_columns);
    for (std::int64_t k = 0; k < depth; k += kFloatDepth) {
      __syncthreads();
      Rows::stage(row_tile, of_rows);
      Columns::stage(column_tile, of_columns);
      __syncthreads();
      if (k + kFloatDepth < depth) {
        rows.fetch(k + kFloatDepth, of_rows);
        columns.fetch(k + kFloatDepth, of_columns);
      }
      const std::int64_t left = depth - k;
      if (left >= kFloatDepth) {
#pragma unroll
        for (int p = 0; p < kFloatDepth; ++p) add(row_tile, column_tile, p);
      } else {
        for (int p = 0; p < left; ++p) add(row_tile, column_tile, p);
      }
    }
  }
};

/// What a chain becomes: times its channel's factor, plus its bias, unless these are null; a NaN has one
/// form.
__device__ inline float end_chain(float t, const float* channel_scale, const float* bias,
                                  std::int64_t channel) {
  if (channel_scale != nullptr) t = t * __ldg(channel_scale + channel);
  if (bias != nullptr) t = t + __ldg(bias + channel);
  return isnan(t) ? __int_as_float(0x7FC00000) : t;
}

}  // namespace samebits::kernels::cuda
