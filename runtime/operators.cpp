// Plain loops. The pools share one walk over windows and differ in what they do with an element.
#include "runtime/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace samebits::runtime {
namespace {

/// Offsets into the input along one dimension, by `step`, that lie inside it.
struct Span {
  std::int64_t begin, end, step;
};

Span span_at(std::int64_t position, std::size_t axis, std::int64_t size, const Window& window,
             std::int64_t step) {
  const std::int64_t unclipped = position * window.stride[axis] - window.padding[axis];
  const std::int64_t end = std::min(unclipped + (window.kernel[axis] - 1) * step + 1, size);
  const std::int64_t skipped = unclipped < 0 ? (-unclipped + step - 1) / step : 0;
  return {unclipped + skipped * step, end, step};
}

/// y = finish(start folded with each element under the window, row by row).
template <class T, class Fold, class Finish>
void pool_planes(const T* x, T* y, const PoolShape& shape, const Window& window,
                 const std::array<std::int64_t, 2>& step, T start, Fold fold, Finish finish,
                 std::int64_t begin, std::int64_t end) {
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const T* x_plane = x + plane * shape.height * shape.width;
    T* y_plane = y + plane * shape.out_height * shape.out_width;
    for (std::int64_t row = 0; row < shape.out_height; ++row) {
      const Span rows = span_at(row, 0, shape.height, window, step[0]);
      for (std::int64_t column = 0; column < shape.out_width; ++column) {
        const Span columns = span_at(column, 1, shape.width, window, step[1]);
        T value = start;
        for (std::int64_t i = rows.begin; i < rows.end; i += rows.step)
          for (std::int64_t j = columns.begin; j < columns.end; j += columns.step)
            value = fold(value, x_plane[i * shape.width + j]);
        y_plane[row * shape.out_width + column] = finish(value);
      }
    }
  }
}

}  // namespace

void relu(const float* x, float* y, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void relu_codes(const std::int8_t* x, std::int8_t* y, std::int32_t zero_point, std::int64_t begin,
                std::int64_t end) {
  const auto zero = static_cast<std::int8_t>(zero_point);
  for (std::int64_t i = begin; i < end; ++i) y[i] = std::max(x[i], zero);
}

void add(const float* a, const float* b, float* y, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
}

void max_pool2d(const float* x, float* y, const PoolShape& shape, const Window& window, std::int64_t begin,
                std::int64_t end) {
  const auto larger = [](float best, float value) {
    return value > best || std::isnan(value) ? value : best;
  };
  pool_planes(
      x, y, shape, window, window.dilation, -std::numeric_limits<float>::infinity(), larger,
      [](float best) { return best; }, begin, end);
}

void max_pool2d_codes(const std::int8_t* x, std::int8_t* y, const PoolShape& shape, const Window& window,
                      std::int32_t lowest, std::int64_t begin, std::int64_t end) {
  pool_planes(
      x, y, shape, window, window.dilation, static_cast<std::int8_t>(lowest),
      [](std::int8_t best, std::int8_t value) { return std::max(best, value); },
      [](std::int8_t best) { return best; }, begin, end);
}

void avg_pool2d(const float* x, float* y, const PoolShape& shape, const Window& window, std::int64_t begin,
                std::int64_t end) {
  const auto divisor = static_cast<float>(window.kernel[0] * window.kernel[1]);
  // LibTorch adds the mean to a zeroed output: no mean is -0.
  pool_planes(
      x, y, shape, window, {1, 1}, 0.0f, [](float sum, float value) { return sum + value; },
      [divisor](float sum) { return 0.0f + sum / divisor; }, begin, end);
}

}  // namespace samebits::runtime
