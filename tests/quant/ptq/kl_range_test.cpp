// quant/ptq/kl_range.h against the divergence computed from its definition, with distributions as arrays.
#include "quant/ptq/kl_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace samebits::quant {
namespace {

using kernels::Histogram;
constexpr std::int64_t kHalf = kernels::kHistogramBins / 2;

Histogram histogram_of(const std::vector<float>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  Histogram histogram{.range = kernels::histogram_range(*low, *high)};
  kernels::count(values.data(), 0, static_cast<std::int64_t>(values.size()), histogram,
                 kernels::FloatType::kFloat32);
  return histogram;
}

/// The threshold with the least divergence: P and Q written out, both normed, for every candidate.
double expected_threshold(const std::vector<double>& counts, double magnitude, std::int64_t levels) {
  double least = std::numeric_limits<double>::infinity(), best = magnitude;
  const auto bins = static_cast<std::int64_t>(counts.size());
  for (std::int64_t end = levels; end <= bins; ++end) {
    std::vector<double> p(counts.begin(), counts.begin() + end), q(end, 0.0);
    for (std::int64_t bin = end; bin < bins; ++bin) p.back() += counts[bin];
    for (std::int64_t level = 0; level < levels; ++level) {
      const std::int64_t first = level * end / levels, last = (level + 1) * end / levels;
      double sum = 0;
      std::int64_t filled = 0;
      for (std::int64_t bin = first; bin < last; ++bin) {
        sum += counts[bin];
        filled += counts[bin] > 0;
      }
      for (std::int64_t bin = first; bin < last; ++bin)
        if (counts[bin] > 0) q[bin] = sum / static_cast<double>(filled);
    }
    double p_sum = 0, q_sum = 0, divergence = 0;
    for (std::int64_t bin = 0; bin < end; ++bin) {
      p_sum += p[bin];
      q_sum += q[bin];
    }
    if (q_sum == 0) continue;
    if (p.back() > 0 && q.back() == 0) q_sum += q.back() = 1e-4;
    for (std::int64_t bin = 0; bin < end; ++bin)
      if (p[bin] > 0) divergence += p[bin] / p_sum * std::log((p[bin] / p_sum) / (q[bin] / q_sum));
    if (divergence < least - 1e-12) {
      least = divergence;
      best = magnitude * static_cast<double>(end) / static_cast<double>(bins);
    }
  }
  return best;
}

/// Counts of |x| by the histogram's own bins, which lie on both sides of 0 alike.
std::vector<double> folded_counts(const Histogram& symmetric) {
  std::vector<double> counts(kHalf);
  for (std::int64_t i = 0; i < kHalf; ++i)
    counts[i] = static_cast<double>(symmetric.counts[kHalf + i] + symmetric.counts[kHalf - 1 - i]);
  return counts;
}

std::vector<float> gaussian_with_outliers(unsigned seed, float outlier) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(20000);
  for (float& value : values) value = normal(random);
  values[0] = outlier;
  values[1] = -outlier;
  return values;
}

TEST(KlRange, HasTheLeastDivergenceOfAllThresholds) {
  for (const float outlier : {4.5f, 12.0f, 60.0f}) {
    const Histogram histogram = histogram_of(gaussian_with_outliers(1, outlier));
    const auto range = kl_range(histogram, -128, 127);
    EXPECT_EQ(range.low, -range.high);
    EXPECT_NEAR(range.high, expected_threshold(folded_counts(histogram), outlier, 128), 1e-4 * outlier)
        << outlier;
    EXPECT_GT(range.high, 2.0f);
  }
}

TEST(KlRange, CutsOutliersOff) {
  EXPECT_LT(kl_range(histogram_of(gaussian_with_outliers(2, 60.0f)), -128, 127).high, 20.0f);
}

TEST(KlRange, KeepsTheSideThatOccurs) {
  std::vector<float> values = gaussian_with_outliers(3, 6.0f);
  for (float& value : values) value = std::fabs(value);
  const auto positive = kl_range(histogram_of(values), -128, 127);
  EXPECT_EQ(positive.low, 0.0f);
  EXPECT_GT(positive.high, 1.0f);
  for (float& value : values) value = -value;
  const auto negative = kl_range(histogram_of(values), -128, 127);
  EXPECT_EQ(negative.high, 0.0f);
  EXPECT_NEAR(negative.low, -positive.high, 2 * 6.0f / 1024);  // a value on an edge is in the upper bin
}

TEST(KlRange, RefusesAnEmptyHistogram) {
  try {
    kl_range(Histogram(), -128, 127);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[kl] histogram: expected at least 1 value, got none");
  }
}

}  // namespace
}  // namespace samebits::quant
