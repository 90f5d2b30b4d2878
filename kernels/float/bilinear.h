// Planes of another height and width, each element made of four neighbours: a fixed order of IEEE operations
// (docs/numerics.md §16).
#pragma once

#include <cstdint>

namespace samebits::kernels {

/// An element of an output axis between two of the input's: x[low] · low_weight + x[high] · high_weight.
struct LinearTap {
  std::int64_t low, high;
  float low_weight, high_weight;
};

/// An axis of `in` elements that becomes one of `out`; `step` is how far the input goes on for one of them.
struct LinearAxis {
  std::int64_t in, out;
  float step;
  bool align_corners;
};

/// The taps of elements 0 to out - 1: with p = fl(step · i) for align_corners, else max(fl(fl(step · fl(i +
/// 0.5)) - 0.5), 0), low = min(floor(p), in - 1), high = min(low + 1, in - 1), high_weight = fl(p - low),
/// at most 1, and low_weight = fl(1 - high_weight).
void linear_taps(const LinearAxis& axis, LinearTap* taps);

struct Bilinear {
  const float* x;
  float* y;
  std::int64_t in_height, in_width, out_height, out_width;
  const LinearTap *rows, *columns;
};

/// Planes [begin, end). Of the rows that a tap names, t = fl(fl(x[low] · low_weight) + fl(x[high] ·
/// high_weight)) along the columns; y the same of both t along the rows.
void bilinear(const Bilinear& args, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
