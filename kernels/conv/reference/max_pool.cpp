// The contract of kernels/conv/max_pool.h as plain loops.
#include "kernels/conv/reference/max_pool.h"

#include <math.h>

namespace samebits::kernels::reference {
namespace {

/// The place within its window of the element that max_pool chooses; `is_better(element, best)` decides.
template <class T, class IsBetter>
std::int64_t chosen(const MaxPoolShape& shape, const T* x, std::int64_t out_row, std::int64_t out_column,
                    IsBetter is_better, T& best) {
  const WindowPart part = window_part(shape, out_row, out_column);
  const T* window = x + (out_row * shape.stride_height - shape.padding_height) * shape.width +
                    (out_column * shape.stride_width - shape.padding_width);
  std::int64_t place = part.first_row * shape.kernel_width + part.first_column;
  best = window[part.first_row * shape.width + part.first_column];
  for (std::int64_t row = part.first_row; row < part.last_row; ++row) {
    for (std::int64_t column = part.first_column; column < part.last_column; ++column) {
      const T element = window[row * shape.width + column];
      if (!is_better(element, best)) continue;
      best = element;
      place = row * shape.kernel_width + column;
    }
  }
  return place;
}

}  // namespace

void max_pool_row(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax,
                  std::int64_t out_row, std::int64_t first, std::int64_t last) {
  const auto is_better = [](float element, float best) { return element > best || isnan(element); };
  for (std::int64_t column = first; column < last; ++column) {
    const std::int64_t i = out_row * shape.out_width() + column;
    const std::int64_t place = chosen(shape, x, out_row, column, is_better, y[i]);
    if (argmax != nullptr) argmax[i] = static_cast<std::uint8_t>(place);
  }
}

void max_pool_codes_row(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t out_row,
                        std::int64_t first, std::int64_t last) {
  const auto is_better = [](std::int8_t element, std::int8_t best) { return element > best; };
  for (std::int64_t column = first; column < last; ++column)
    chosen(shape, x, out_row, column, is_better, y[out_row * shape.out_width() + column]);
}

void max_pool_backward_row(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                           float* grad_x, std::int64_t out_row, std::int64_t first, std::int64_t last) {
  for (std::int64_t column = first; column < last; ++column) {
    const std::int64_t i = out_row * shape.out_width() + column;
    const std::int64_t x_row =
        out_row * shape.stride_height - shape.padding_height + argmax[i] / shape.kernel_width;
    const std::int64_t x_column =
        column * shape.stride_width - shape.padding_width + argmax[i] % shape.kernel_width;
    grad_x[x_row * shape.width + x_column] += grad_y[i];
  }
}

void max_pool(const MaxPoolShape& shape, const float* x, float* y, std::uint8_t* argmax, std::int64_t begin,
              std::int64_t end) {
  for (std::int64_t plane = begin; plane < end; ++plane)
    for (std::int64_t row = 0; row < shape.out_height(); ++row)
      max_pool_row(shape, x + plane * shape.in_size(), y + plane * shape.out_size(),
                   argmax == nullptr ? nullptr : argmax + plane * shape.out_size(), row, 0,
                   shape.out_width());
}

void max_pool_codes(const MaxPoolShape& shape, const std::int8_t* x, std::int8_t* y, std::int64_t begin,
                    std::int64_t end) {
  for (std::int64_t plane = begin; plane < end; ++plane)
    for (std::int64_t row = 0; row < shape.out_height(); ++row)
      max_pool_codes_row(shape, x + plane * shape.in_size(), y + plane * shape.out_size(), row, 0,
                         shape.out_width());
}

void max_pool_backward(const MaxPoolShape& shape, const float* grad_y, const std::uint8_t* argmax,
                       float* grad_x, std::int64_t begin, std::int64_t end) {
  std::fill(grad_x + begin * shape.in_size(), grad_x + end * shape.in_size(), 0.0f);
  for (std::int64_t plane = begin; plane < end; ++plane)
    for (std::int64_t row = 0; row < shape.out_height(); ++row)
      max_pool_backward_row(shape, grad_y + plane * shape.out_size(), argmax + plane * shape.out_size(),
                            grad_x + plane * shape.in_size(), row, 0, shape.out_width());
}

}  // namespace samebits::kernels::reference

namespace samebits::kernels {
namespace {

/// Of one row of windows, whose places stand at `argmax`.
std::int64_t first_outside_in_row(const MaxPoolShape& shape, const std::uint8_t* argmax, std::int64_t row) {
  const std::int64_t places = shape.kernel_height * shape.kernel_width;
  for (std::int64_t column = 0; column < shape.out_width(); ++column) {
    const reference::WindowPart part = reference::window_part(shape, row, column);
    const std::int64_t size = (part.last_row - part.first_row) * (part.last_column - part.first_column);
    const std::int64_t place = argmax[column];
    if (place < places && size == places) continue;
    const std::int64_t i = place / shape.kernel_width, j = place % shape.kernel_width;
    const bool is_inside =
        i >= part.first_row && i < part.last_row && j >= part.first_column && j < part.last_column;
    if (!is_inside) return column;
  }
  return -1;
}

}  // namespace

std::int64_t first_place_outside(const MaxPoolShape& shape, const std::uint8_t* argmax, std::int64_t begin,
                                 std::int64_t end) {
  for (std::int64_t plane = begin; plane < end; ++plane)
    for (std::int64_t row = 0; row < shape.out_height(); ++row) {
      const std::int64_t first = plane * shape.out_size() + row * shape.out_width();
      if (const std::int64_t column = first_outside_in_row(shape, argmax + first, row); column >= 0)
        return first + column;
    }
  return -1;
}

}  // namespace samebits::kernels
