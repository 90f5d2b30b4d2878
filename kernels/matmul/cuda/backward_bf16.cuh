// The operands of a backward in bfloat16. A thread takes four columns of a block of kSumRows rows, so that
// their sums have the order of kernels/quantize/column_sums.h.
#pragma once

#include "kernels/matmul/cuda/backward_bf16.h"
#include "kernels/quantize/cuda/octets.cuh"

namespace samebits::kernels::cuda {

/// The device's product of a NaN has another payload than the CPU's: a NaN is the quiet one without any.
__device__ inline Bfloat16 rounded_product(float g, float scale) {
  const float product = g * scale;
  return isnan(product) ? Bfloat16{0x7FC0} : to_bfloat16(product);
}

__device__ inline void store_scaled(Bf16* y, int count, const float (&g)[4], const float (&scale)[4]) {
  Bfloat16 stored[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) stored[i] = rounded_product(g[i], scale[i]);
  store_quad(reinterpret_cast<Bfloat16*>(y), count, stored);
}

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads) gradient_operands(GradientOperandsArgs args) {
  const std::int64_t quads = (args.n + 3) / 4, items = quads * sum_blocks(args.m);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const float one_x_scale = args.for_grad_weight == nullptr ? 1.0f : __ldg(args.x_scale);
  const float x_scale[4] = {one_x_scale, one_x_scale, one_x_scale, one_x_scale};
  for (std::int64_t item = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; item < items;
       item += stride) {
    const std::int64_t block = item / quads, column = (item - block * quads) * 4;
    const int count = args.n - column < 4 ? static_cast<int>(args.n - column) : 4;
    float weight_scale[4] = {1.0f, 1.0f, 1.0f, 1.0f}, sums[4] = {};
    if (args.weight_scale != nullptr) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (i < count) weight_scale[i] = __ldg(args.weight_scale + (args.has_one_scale ? 0 : column + i));
    }
    const std::int64_t begin = block * kSumRows, end = begin + kSumRows < args.m ? begin + kSumRows : args.m;
#pragma unroll 8
    for (std::int64_t row = begin; row < end; ++row) {
      float g[4];
      load_quad(args.g + row * args.n + column, count, g);
      if (args.for_grad_x != nullptr)
        store_scaled(args.for_grad_x + row * args.n + column, count, g, weight_scale);
      if (args.for_grad_weight != nullptr)
        store_scaled(args.for_grad_weight + row * args.n + column, count, g, x_scale);
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[i] = sums[i] + g[i];
    }
    if (args.block_sums != nullptr) store_quad(args.block_sums + block * args.n + column, count, sums);
  }
}

/// A thread adds the blocks of a column, ascending. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    add_sums_of_blocks(const float* block_sums, std::int64_t blocks, std::int64_t n, float* sums) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += stride) {
    float sum = 0.0f;
#pragma unroll 8
    for (std::int64_t block = 0; block < blocks; ++block) sum = sum + block_sums[block * n + i];
    sums[i] = sum;
  }
}

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    codes_to_bf16(const std::int8_t* codes, std::int64_t n, const std::int32_t* zero_point, Bf16* y) {
  const std::int32_t zero = __ldg(zero_point);
  for_each_octet(n, [&](std::int64_t first, int count) {
    std::int8_t low[4], high[4];
    load_quad(codes + first, count < 4 ? count : 4, low);
    load_quad(codes + first + 4, count < 4 ? 0 : count - 4, high);
    std::int32_t values[8];
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = low[i] - zero, values[i + 4] = high[i] - zero;
    store_exact(y + first, count, values);
  });
}

/// A thread a byte of the mask. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    clear_clipped(float* grad, std::int64_t rows, std::int64_t row_length, const std::uint8_t* clip_mask) {
  const std::int64_t row_bytes = (row_length + 7) / 8, bytes = rows * row_bytes;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < bytes;
       i += stride) {
    const unsigned bits = clip_mask[i];
    if (bits == 0) continue;
    const std::int64_t row = rows == 1 ? 0 : i / row_bytes, column = (i - row * row_bytes) * 8;
    float* const to = grad + row * row_length + column;
    if (bits == 0xFFu && column + 8 <= row_length && is_aligned<float4>(to)) {
      reinterpret_cast<float4*>(to)[0] = {0.0f, 0.0f, 0.0f, 0.0f};
      reinterpret_cast<float4*>(to)[1] = {0.0f, 0.0f, 0.0f, 0.0f};
      continue;
    }
#pragma unroll
    for (int j = 0; j < 8; ++j)
      if ((bits >> j & 1u) != 0 && column + j < row_length) to[j] = 0.0f;
  }
}

}  // namespace samebits::kernels::cuda
