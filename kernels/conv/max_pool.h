// Largest element of each window: max_pool2d on float32 with what its gradient needs, and on int8 codes.
// Quantizing keeps order, so that the largest code is the code of the largest real.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// Sizes of one plane (an image and channel) and of the window, whose dilation is 1. Padding is at most half
/// of the kernel, as torch demands, so that each window holds an element; at least stride >= 1. The window
/// has at most 255 elements.
struct MaxPoolShape {
  std::int64_t height, width;
  std::int64_t kernel_height, kernel_width;
  std::int64_t stride_height, stride_width;
  std::int64_t padding_height = 0, padding_width = 0;

  /// Rounded down: ceil_mode is not offered.
  std::int64_t out_height() const {
    return (height + 2 * padding_height - kernel_height) / stride_height + 1;
  }
  std::int64_t out_width() const { return (width + 2 * padding_width - kernel_width) / stride_width + 1; }
  std::int64_t in_size() const { return height * width; }
  std::int64_t out_size() const { return out_height() * out_width(); }
};

/// Planes [begin, end): y [plane][out_height][out_width] of x [plane][height][width]. argmax (the shape of y,
/// null: not wanted) is the place of the chosen element within its window, row * kernel_width + column,
/// counted with the padding. The first of equal elements in row-major order is chosen (-0 equals +0); a NaN
/// wins over all that is no NaN, and the last NaN over those before it: as at::max_pool2d. Does not allocate
/// or throw; every implementation gives the same bits.
extern const Kernel<void(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax,
                         std::int64_t begin, std::int64_t end)>
    max_pool;

/// The same on codes.
extern const Kernel<void(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t begin,
                         std::int64_t end)>
    max_pool_codes;

/// The first i of planes [begin, end) whose argmax[i] is no place of window i inside of the plane: behind the
/// window, or in the padding. Below 0 when there is none.
std::int64_t first_place_outside(const MaxPoolShape& shape, const std::uint8_t* argmax, std::int64_t begin,
                                 std::int64_t end);

/// Planes [begin, end): grad_x[i] = 0 + the grad_y of each window that chose element i, windows in row-major
/// order. Every place of argmax is inside of the plane (first_place_outside()).
extern const Kernel<void(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                         float* grad_x, std::int64_t begin, std::int64_t end)>
    max_pool_backward;

}  // namespace samebits::kernels
