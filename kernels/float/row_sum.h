// The order in which rows of float32 are summed, so that no bit depends on the instruction set, the number of
// threads or the device: element i goes to lane i % 64; the lanes of each chunk of 4096 elements start at +0
// and take their elements in ascending order; the lanes of the chunks are added in ascending order; then lane
// l takes lane l + 32, l + 16, … l + 1. Sums start at +0, so no lane is ever -0 and adding +0 changes none: a
// vector may be padded with it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace samebits::kernels {

constexpr int kRowLanes = 64;
constexpr std::int64_t kRowChunk = 4096;

/// The sum of n terms: `add(lane, i)` is the lane with the term of element i.
template <class Add>
float row_sum(std::int64_t n, Add add) {
  float total[kRowLanes] = {};
  for (std::int64_t begin = 0; begin < n; begin += kRowChunk) {
    float lanes[kRowLanes] = {};
    for (std::int64_t i = begin; i < std::min(begin + kRowChunk, n); ++i)
      lanes[i % kRowLanes] = add(lanes[i % kRowLanes], i);
    for (int lane = 0; lane < kRowLanes; ++lane) total[lane] += lanes[lane];
  }
  for (int half = kRowLanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) total[lane] += total[lane + half];
  return total[0];
}

/// Rows of n elements each in [outer][n][inner]: row r has the elements (r / inner · n + i) · inner + r %
/// inner. A row is what lies behind one another where inner is 1.
struct RowShape {
  std::int64_t n, inner = 1;

  SAMEBITS_HOST_DEVICE std::int64_t begin(std::int64_t row) const {
    return row / inner * n * inner + row % inner;
  }
};

}  // namespace samebits::kernels
