// The order in which sums of floats are taken, so that no bit depends on the instruction set, the number of
// threads or where a tensor is cut. Every kernel that adds up elements follows this file.
//
// A sum runs over chunks of at most 4096 consecutive elements. Within a chunk, element j (counted from the
// chunk's first) is added to lane j % 16 in ascending order; lanes are doubles and start at +0. The lanes are
// then folded as a tree: lane i += lane i + 8 for i < 8, then + 4, + 2, + 1. Chunks are added in ascending
// order.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/common/host_device.h"

namespace samebits::kernels {

constexpr std::int64_t kSumChunk = 4096, kSumLanes = 16;

constexpr std::int64_t sum_chunks(std::int64_t n) {
  return (n + kSumChunk - 1) / kSumChunk;
}

/// The lane sums of one chunk.
struct LaneSums {
  double lanes[kSumLanes] = {};

  /// Adds the term of the chunk's element j.
  void add(std::int64_t j, double term) { lanes[j % kSumLanes] += term; }

  /// Folds the lanes, which are lost.
  double fold() {
    for (std::int64_t width = kSumLanes / 2; width > 0; width /= 2)
      for (std::int64_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    return lanes[0];
  }
};

/// Processors differ in the bits of the NaN that inf - inf gives; a sum that is NaN is this one.
SAMEBITS_HOST_DEVICE inline double with_one_nan(double sum) {
  return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
}

}  // namespace samebits::kernels
