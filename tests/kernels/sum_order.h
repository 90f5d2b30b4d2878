// The order of sums that kernels/common/chunked_sum.h documents, written a second time, and numbers whose
// sums show it.
#pragma once

#include <bit>
#include <cmath>
#include <span>
#include <vector>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

/// Adds neighbours at distance 8, 4, 2, 1 by recursion: the documented tree, bottom up.
inline double tree(const std::vector<double>& lanes) {
  if (lanes.size() == 1) return lanes[0];
  std::vector<double> half;
  for (std::size_t i = 0; i < lanes.size() / 2; ++i) half.push_back(lanes[i] + lanes[i + lanes.size() / 2]);
  return tree(half);
}

/// The sum of up to 4096 terms: each lane by its own walk.
inline double chunk_sum(std::span<const double> terms) {
  std::vector<double> lanes;
  for (std::size_t lane = 0; lane < 16; ++lane) {
    double sum = 0.0;
    for (std::size_t i = lane; i < terms.size(); i += 16) sum = sum + terms[i];
    lanes.push_back(sum);
  }
  return tree(lanes);
}

/// Floats of magnitudes from 2^-30 to 2^30: their sums do not fit a double, so that the order shows.
inline std::vector<float> wide_floats(Random& random, std::int64_t n) {
  std::vector<float> values = random_floats(random, n, 1.0f);
  for (float& value : values) value = std::ldexp(value, static_cast<int>(random_int(random, -30, 30)));
  return values;
}

inline std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

}  // namespace samebits::kernels
