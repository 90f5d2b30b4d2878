// A convolution whose outputs see one input channel each: a thread sums the taps of four neighbouring pixels
// of a plane.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/conv/cuda/conv2d.h"

namespace samebits::kernels::cuda {

/// The sum of one output pixel.
__device__ inline std::int32_t depthwise_sum(const ConvSizes& s, const std::int8_t* plane,
                                             const std::int8_t* weight, std::int32_t border,
                                             std::int32_t pixel) {
  const OutputPixel at = output_pixel(s, pixel, true);
  std::int32_t sum = 0;
  for (std::int32_t i = 0; i < s.kernel_height; ++i) {
    const std::int32_t row = at.row + i * s.dilation_height;
    for (std::int32_t j = 0; j < s.kernel_width; ++j) {
      const std::int32_t column = at.column + j * s.dilation_width;
      const std::int32_t code =
          is_inside(s, row, column) ? __ldg(plane + std::int64_t{row} * s.width + column) : border;
      sum += code * __ldg(weight + i * s.kernel_width + j);
    }
  }
  return sum;
}

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    conv2d_depthwise(DepthwiseCodes args, ConvSizes s, std::int64_t images) {
  const std::int64_t quads = (s.pixels() + 3) / 4, items = images * s.out_channels * quads;
  const std::int32_t border = __ldg(args.x_zero_point);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const bool fits = items + stride <= UINT32_MAX;
  for (std::int64_t item = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; item < items;
       item += stride) {
    const Divided plane = divided(item, quads, fits), image = divided(plane.quotient, s.out_channels, fits);
    const auto channel = static_cast<std::int32_t>(image.remainder);
    const std::int64_t in_plane = image.quotient * s.in_channels + channel / s.group_outputs();
    const auto first = static_cast<std::int32_t>(plane.remainder * 4);
    const std::int64_t left = s.pixels() - first;
    const int count = static_cast<int>(left < 4 ? left : 4);
    const std::int32_t correction = __ldg(args.terms.correction + channel);
    const float scale = __ldg(args.terms.scale + channel);
    float y[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i >= count) continue;
      const std::int32_t sum =
          depthwise_sum(s, args.x + in_plane * s.in_pixels(), args.weight + std::int64_t{channel} * s.depth(),
                        border, first + i);
      y[i] = static_cast<float>(sum - correction) * scale;
      if (args.terms.bias != nullptr) y[i] = y[i] + __ldg(args.terms.bias + channel);
    }
    store_quad(args.y + plane.quotient * s.pixels() + first, count, y);
  }
}

}  // namespace samebits::kernels::cuda
