#include "kernels/float/reduce.h"

#include <cmath>

#include "kernels/float/reference/function.h"

namespace samebits::kernels {

void argmax_rows(const float* x, const RowShape& shape, std::int64_t* y, std::int64_t begin,
                 std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* const from = x + shape.begin(row);
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < shape.n && !std::isnan(from[best * shape.inner]); ++i) {
      const float value = from[i * shape.inner];
      if (value > from[best * shape.inner] || std::isnan(value)) best = i;
    }
    y[row] = best;
  }
}

namespace {

/// [begin, end) of window `i`.
struct Window {
  std::int64_t begin, end;
  Window(std::int64_t i, std::int64_t in, std::int64_t out)
      : begin(i * in / out), end(((i + 1) * in + out - 1) / out) {}
  std::int64_t size() const { return end - begin; }
};

}  // namespace

void adaptive_avg_pool(const AdaptivePoolShape& shape, const float* x, float* y, std::int64_t begin,
                       std::int64_t end) {
  const auto [height, width] = shape.in;
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const float* const from = x + plane * height * width;
    float* to = y + plane * shape.out[0] * shape.out[1];
    if (shape.out[0] == 1 && shape.out[1] == 1) {
      sum_rows({x, y, {height * width}, true}, plane, plane + 1);
      continue;
    }
    for (std::int64_t i = 0; i < shape.out[0]; ++i)
      for (std::int64_t j = 0; j < shape.out[1]; ++j) {
        const Window rows(i, height, shape.out[0]), columns(j, width, shape.out[1]);
        const std::int64_t count = rows.size() * columns.size();
        const float mean =
            row_sum(
                count,
                [&](float lane, std::int64_t k) {
                  return lane +
                         from[(rows.begin + k / columns.size()) * width + columns.begin + k % columns.size()];
                }) /
            static_cast<float>(count);
        *to++ = reference::Formulas<ScalarOps>::number_or_nan(mean, mean);
      }
  }
}

}  // namespace samebits::kernels
