#pragma once
#include <algorithm>

#include "kernels/conv/max_pool.h"

namespace samebits::kernels::reference {

/// The rows and columns of one window that lie inside the image, counted within the window.
struct WindowPart {
  std::int64_t first_row, last_row, first_column, last_column;
};
inline WindowPart window_part(const MaxPoolShape& shape, std::int64_t out_row, std::int64_t out_column) {
  const std::int64_t top = out_row * shape.stride_height - shape.padding_height;
  const std::int64_t left = out_column * shape.stride_width - shape.padding_width;
  return {std::max<std::int64_t>(0, -top), std::min(shape.kernel_height, shape.height - top),
          std::max<std::int64_t>(0, -left), std::min(shape.kernel_width, shape.width - left)};
}

/// Columns [first, last) of one row of the output of one plane, which x and y are.
void max_pool_row(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax,
                  std::int64_t out_row, std::int64_t first, std::int64_t last);
void max_pool_codes_row(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t out_row,
                        std::int64_t first, std::int64_t last);
/// Adds columns [first, last) of one row of grad_y to grad_x.
void max_pool_backward_row(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                           float* grad_x, std::int64_t out_row, std::int64_t first, std::int64_t last);

void max_pool(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax, std::int64_t begin,
              std::int64_t end);
void max_pool_codes(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t begin,
                    std::int64_t end);
void max_pool_backward(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                       float* grad_x, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels::reference
