// kernels/conv/max_pool.h on CUDA: a thread an output, and in the backward a thread an input element, which
// looks at the windows that hold it in row-major order.
#pragma once

#include <math.h>

#include "kernels/common/cuda/launch.h"
#include "kernels/conv/cuda/conv_sizes.h"
#include "kernels/conv/cuda/max_pool.h"

namespace samebits::kernels::cuda {

/// Sizes of planes and windows in 64 bits, with those of the outputs.
struct PoolSizes {
  MaxPoolShape shape;
  std::int64_t out_height, out_width, planes;
};

/// Calls body(plane, row, column) for elements of planes of `height` times `width`. Any number of blocks.
template <class Body>
__device__ void for_each_element(std::int64_t planes, std::int64_t height, std::int64_t width, Body body) {
  const std::int64_t count = planes * height * width;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const bool fits = count + stride <= UINT32_MAX;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    const Divided row = divided(i, width, fits), plane = divided(row.quotient, height, fits);
    body(plane.quotient, plane.remainder, row.remainder);
  }
}

/// argmax may be null. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    max_pool(PoolSizes s, const float* x, float* y, std::uint8_t* argmax) {
  const MaxPoolShape& w = s.shape;
  for_each_element(s.planes, s.out_height, s.out_width,
                   [&](std::int64_t plane, std::int64_t row, std::int64_t column) {
                     const float* const from = x + plane * w.height * w.width;
                     const std::int64_t top = row * w.stride_height - w.padding_height;
                     const std::int64_t left = column * w.stride_width - w.padding_width;
                     float best = 0.0f;
                     std::int64_t place = -1;
                     for (std::int64_t i = 0; i < w.kernel_height; ++i) {
                       if (top + i < 0 || top + i >= w.height) continue;
                       for (std::int64_t j = 0; j < w.kernel_width; ++j) {
                         if (left + j < 0 || left + j >= w.width) continue;
                         const float element = __ldg(from + (top + i) * w.width + left + j);
                         if (place >= 0 && !(element > best) && !isnan(element)) continue;
                         best = element;
                         place = i * w.kernel_width + j;
                       }
                     }
                     const std::int64_t to = (plane * s.out_height + row) * s.out_width + column;
                     y[to] = best;
                     if (argmax != nullptr) argmax[to] = static_cast<std::uint8_t>(place);
                   });
}

/// The windows along one axis that hold a position: outputs [first, last).
struct WindowRange {
  std::int64_t first, last;
};
__device__ inline WindowRange windows_at(std::int64_t position, std::int64_t kernel, std::int64_t stride,
                                         std::int64_t padding, std::int64_t outputs) {
  const std::int64_t padded = position + padding, last = padded / stride + 1;
  return {padded < kernel ? 0 : (padded - kernel) / stride + 1, last < outputs ? last : outputs};
}

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    max_pool_backward(PoolSizes s, const float* grad_y, const std::uint8_t* argmax, float* grad_x) {
  const MaxPoolShape& w = s.shape;
  for_each_element(s.planes, w.height, w.width,
                   [&](std::int64_t plane, std::int64_t row, std::int64_t column) {
                     const WindowRange rows =
                         windows_at(row, w.kernel_height, w.stride_height, w.padding_height, s.out_height);
                     const WindowRange columns =
                         windows_at(column, w.kernel_width, w.stride_width, w.padding_width, s.out_width);
                     float sum = 0.0f;
                     for (std::int64_t i = rows.first; i < rows.last; ++i) {
                       const std::int64_t in_row = row + w.padding_height - i * w.stride_height;
                       for (std::int64_t j = columns.first; j < columns.last; ++j) {
                         const std::int64_t place =
                             in_row * w.kernel_width + column + w.padding_width - j * w.stride_width;
                         const std::int64_t from = (plane * s.out_height + i) * s.out_width + j;
                         if (argmax[from] == place) sum = sum + grad_y[from];
                       }
                     }
                     grad_x[(plane * w.height + row) * w.width + column] = sum;
                   });
}

}  // namespace samebits::kernels::cuda
