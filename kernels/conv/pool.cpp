// One walk over windows; pools differ in what they do with an element.
#include "kernels/conv/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace samebits::kernels {
namespace {

/// Offsets into the input along one dimension, by `step`, that lie inside it.
struct Span {
  std::int64_t begin, end, step;
};

Span span_at(const PoolShape& shape, std::size_t axis, std::int64_t position, std::int64_t step) {
  const std::int64_t unclipped = position * shape.stride[axis] - shape.padding[axis];
  const std::int64_t end = std::min(unclipped + (shape.kernel[axis] - 1) * step + 1, shape.in[axis]);
  const std::int64_t skipped = unclipped < 0 ? (-unclipped + step - 1) / step : 0;
  return {unclipped + skipped * step, end, step};
}

/// y = finish(start folded with each element under the window, row by row; the window's place).
template <class T, class Fold, class Finish>
void pool_plane(const PoolShape& shape, const std::array<std::int64_t, 2>& step, const T* x, T* y, T start,
                Fold fold, Finish finish) {
  for (std::int64_t row = 0; row < shape.out[0]; ++row) {
    const Span rows = span_at(shape, 0, row, step[0]);
    for (std::int64_t column = 0; column < shape.out[1]; ++column) {
      const Span columns = span_at(shape, 1, column, step[1]);
      T value = start;
      for (std::int64_t i = rows.begin; i < rows.end; i += rows.step)
        for (std::int64_t j = columns.begin; j < columns.end; j += columns.step)
          value = fold(value, x[i * shape.in[1] + j]);
      y[row * shape.out[1] + column] = finish(value, row, column);
    }
  }
}

template <class T, class Pool>
void for_each_plane(const PoolShape& shape, const T* x, T* y, std::int64_t begin, std::int64_t end,
                    Pool pool) {
  for (std::int64_t plane = begin; plane < end; ++plane)
    pool(x + plane * shape.in[0] * shape.in[1], y + plane * shape.out[0] * shape.out[1]);
}

}  // namespace

void max_pool_any(const PoolShape& shape, const float* x, float* y, std::int64_t begin, std::int64_t end) {
  const auto larger = [](float best, float value) {
    return value > best || std::isnan(value) ? value : best;
  };
  for_each_plane(shape, x, y, begin, end, [&](const float* from, float* to) {
    pool_plane(shape, shape.dilation, from, to, -std::numeric_limits<float>::infinity(), larger,
               [](float best, auto...) { return best; });
  });
}

void max_pool_any_codes(const PoolShape& shape, std::int8_t lowest, const std::int8_t* x, std::int8_t* y,
                        std::int64_t begin, std::int64_t end) {
  const auto larger = [](std::int8_t best, std::int8_t value) { return std::max(best, value); };
  for_each_plane(shape, x, y, begin, end, [&](const std::int8_t* from, std::int8_t* to) {
    pool_plane(shape, shape.dilation, from, to, lowest, larger,
               [](std::int8_t best, auto...) { return best; });
  });
}

void avg_pool(const PoolShape& shape, AvgPoolCount count, const float* x, float* y, std::int64_t begin,
              std::int64_t end) {
  const auto places_at = [&](std::size_t axis, std::int64_t position) {
    const std::int64_t first = position * shape.stride[axis] - shape.padding[axis];
    const bool has_padding = count == AvgPoolCount::kWithPadding;
    const std::int64_t low = has_padding ? first : std::max<std::int64_t>(first, 0);
    const std::int64_t limit = shape.in[axis] + (has_padding ? shape.padding[axis] : 0);
    return std::min(first + shape.kernel[axis], limit) - low;
  };
  for_each_plane(shape, x, y, begin, end, [&](const float* from, float* to) {
    // at::avg_pool2d adds the mean to a zeroed output: no mean is -0.
    pool_plane(
        shape, {1, 1}, from, to, 0.0f, [](float sum, float value) { return sum + value; },
        [&](float sum, std::int64_t row, std::int64_t column) {
          return 0.0f + sum / static_cast<float>(places_at(0, row) * places_at(1, column));
        });
  });
}

}  // namespace samebits::kernels
