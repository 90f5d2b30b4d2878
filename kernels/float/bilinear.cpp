#include "kernels/float/bilinear.h"

#include <algorithm>
#include <cmath>

namespace samebits::kernels {
namespace {

/// Not fused: the project compiles without contraction.
float between(float low, float high, const LinearTap& tap) {
  return low * tap.low_weight + high * tap.high_weight;
}

}  // namespace

void linear_taps(const LinearAxis& axis, LinearTap* taps) {
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const auto place = static_cast<float>(i);
    const float position =
        axis.align_corners ? axis.step * place : std::max(axis.step * (place + 0.5f) - 0.5f, 0.0f);
    // Compared as floats: a position may be beyond every integer.
    const auto last = static_cast<float>(axis.in - 1);
    const std::int64_t low = position >= last ? axis.in - 1 : static_cast<std::int64_t>(std::floor(position));
    const float weight = std::min(position - static_cast<float>(low), 1.0f);
    taps[i] = {low, std::min(low + 1, axis.in - 1), 1.0f - weight, weight};
  }
}

void bilinear(const Bilinear& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const float* const x = args.x + plane * args.in_height * args.in_width;
    float* y = args.y + plane * args.out_height * args.out_width;
    for (std::int64_t row = 0; row < args.out_height; ++row, y += args.out_width) {
      const LinearTap& tap = args.rows[row];
      const float *top = x + tap.low * args.in_width, *bottom = x + tap.high * args.in_width;
      for (std::int64_t column = 0; column < args.out_width; ++column) {
        const LinearTap& across = args.columns[column];
        y[column] = between(between(top[across.low], top[across.high], across),
                            between(bottom[across.low], bottom[across.high], across), tap);
      }
    }
  }
}

}  // namespace samebits::kernels
