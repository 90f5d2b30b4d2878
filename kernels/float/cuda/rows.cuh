// kernels/float/rows-inl.h on CUDA: a warp is a vector of 32 lanes and has a row; where rows stand side by
// side, a thread has one.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/float/function.h"
#include "kernels/float/normalize.h"
#include "kernels/float/reduce.h"
#include "kernels/float/scalar_ops.h"

namespace samebits::kernels::cuda {

#include "kernels/float/formulas-inl.h"
#include "kernels/float/rows-inl.h"

struct WarpOps : ScalarOps {
  static constexpr int kLanes = 32;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kLanes; }
  __device__ static float load(const float* from, int count = kLanes, float fill = 0.0f) {
    return lane() < count ? from[lane()] : fill;
  }
  __device__ static void store(float a, float* to, int count = kLanes) {
    if (lane() < count) to[lane()] = a;
  }
  __device__ static float keep(float a, int count) { return lane() < count ? a : 0.0f; }
  __device__ static void store_one(float value, float* to, std::int64_t row) {
    if (to != nullptr && lane() == 0) to[row] = value;
  }
  /// All lanes get the result: addition commutes.
  template <class Join>
  __device__ static float fold(float a, Join join) {
    for (int half = kLanes / 2; half > 0; half /= 2) a = join(a, __shfl_xor_sync(kAllLanes, a, half));
    return a;
  }
};

constexpr std::int64_t kRowsPerBlock = kThreads / WarpOps::kLanes;

/// body(row) for rows [0, rows), the same one for all lanes of a warp. Any number of blocks.
template <class Body>
__device__ void for_each_row(std::int64_t rows, Body body) {
  const std::int64_t own = static_cast<std::int64_t>(threadIdx.x) / WarpOps::kLanes;
  for (std::int64_t row = blockIdx.x * kRowsPerBlock + own; row < rows; row += gridDim.x * kRowsPerBlock)
    body(row);
}
/// body(row) for rows [0, rows), one a thread. Any number of blocks.
template <class Body>
__device__ void for_each_column(std::int64_t rows, Body body) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; row < rows;
       row += stride)
    body(row);
}

inline unsigned blocks_for_rows(const RowShape& shape, std::int64_t rows) {
  return blocks_for(rows, shape.inner == 1 ? kRowsPerBlock : kThreads);
}

}  // namespace samebits::kernels::cuda
