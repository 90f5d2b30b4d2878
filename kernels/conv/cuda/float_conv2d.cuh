// kernels/conv/float_conv2d.h on CUDA: the tiles of kernels/common/cuda/float_tile.cuh, whose columns are
// pixels of all images and are read out of them.
#pragma once

#include "kernels/common/cuda/float_tile.cuh"
#include "kernels/conv/cuda/conv_sizes.h"
#include "kernels/conv/cuda/float_conv2d.h"

namespace samebits::kernels::cuda {

/// What the taps of output pixels read. A thread fetches four taps of a pixel, neighbours other pixels.
struct FloatPatches {
  const float* x;  // [images][in_channels][height][width]
  const ConvSizes& s;
  std::int64_t depth;
  const float* channels = nullptr;  // of the pixel's image and group; null: no such pixel
  std::int32_t row = 0, column = 0;

  __device__ void begin(std::int64_t first, std::int64_t count, std::int32_t group, bool fits) {
    const std::int64_t n = first + threadIdx.x % kFloatTile;
    channels = nullptr;
    if (n >= count) return;
    const OutputPixel at = output_pixel(s, n, fits);
    row = at.row, column = at.column;
    channels = x + (at.image * s.in_channels + std::int64_t{group} * s.group_channels()) * s.in_pixels();
  }
  __device__ float read(std::int32_t channel, std::int32_t kernel_row, std::int32_t kernel_column) const {
    const std::int32_t i = row + kernel_row * s.dilation_height,
                       j = column + kernel_column * s.dilation_width;
    return is_inside(s, i, j) ? channels[channel * s.in_pixels() + std::int64_t{i} * s.width + j] : 0.0f;
  }
  __device__ void fetch(std::int64_t k, float (&r)[4]) const {
    const auto first = static_cast<std::int32_t>(k + threadIdx.x / kFloatTile * 4);
    std::int32_t channel = first / s.taps(), kernel_row = (first - channel * s.taps()) / s.kernel_width;
    std::int32_t kernel_column = first - channel * s.taps() - kernel_row * s.kernel_width;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      r[i] = channels == nullptr || first + i >= depth ? 0.0f : read(channel, kernel_row, kernel_column);
      if (++kernel_column < s.kernel_width) continue;
      kernel_column = 0;
      if (++kernel_row < s.kernel_height) continue;
      kernel_row = 0;
      ++channel;
    }
  }
  __device__ static void stage(FloatStage& tile, const float (&r)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) tile[threadIdx.x / kFloatTile * 4 + i][threadIdx.x % kFloatTile] = r[i];
  }
};

/// Rows are output channels, columns pixels of all images. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    float_conv2d(FloatConv2dArgs args, ConvSizes s, std::int64_t images) {
  alignas(16) __shared__ FloatStage rows;
  alignas(16) __shared__ FloatStage columns;
  const std::int64_t count = images * s.pixels(), depth = s.depth();
  const bool fits = count + kFloatTile <= UINT32_MAX;
  const std::int64_t down = (s.group_outputs() + kFloatTile - 1) / kFloatTile;
  const std::int64_t across = (count + kFloatTile - 1) / kFloatTile;
  for (std::int64_t tile = blockIdx.x; tile < down * across * s.groups; tile += gridDim.x) {
    const auto group = static_cast<std::int32_t>(tile / (down * across));
    const std::int64_t in_group = tile % (down * across), first_pixel = in_group / down * kFloatTile;
    const std::int64_t end_row = std::int64_t{group + 1} * s.group_outputs();
    const std::int64_t first_row = end_row - s.group_outputs() + in_group % down * kFloatTile;
    FloatLines weight{args.weight, depth, 0, 0};
    FloatPatches patches{args.x, s, depth};
    weight.begin(first_row, end_row);
    patches.begin(first_pixel, count, group, fits);
    FloatChains chains;
    chains.run(weight, patches, depth, rows, columns);
    const std::int64_t n = first_pixel + threadIdx.x % 16 * 4;
    Divided at = divided(n, s.pixels(), fits);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const std::int64_t row = first_row + threadIdx.x / 16 * 4 + i;
        if (n + j >= count || row >= end_row) continue;
        args.y[(at.quotient * s.out_channels + row) * s.pixels() + at.remainder] =
            end_chain(chains.t[i][j], args.channel_scale, args.bias, row);
      }
      if (++at.remainder == s.pixels()) at = {at.quotient + 1, 0};
    }
  }
}

}  // namespace samebits::kernels::cuda
