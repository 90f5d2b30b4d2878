// The search of kernels/observe/histogram.h: its error against sampled quantization, its choice against all
// candidates.
#include "kernels/observe/histogram.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

/// Counts of a density over [low, high], `density` of the bin's middle.
template <class Density>
Histogram histogram_of(float low, float high, Density density) {
  Histogram histogram{.range = {low, high}, .counts = {}, .nans = 0};
  for (int bin = 0; bin < 2048; ++bin)
    histogram.counts[bin] =
        static_cast<std::int64_t>(1e7 * density(low + (double{high} - low) * (bin + 0.5) / 2048));
  return histogram;
}
double normal(double x) {
  return std::exp(-0.5 * x * x);
}
double laplace(double x) {
  return std::exp(-std::fabs(x));
}
double rectified(double x) {
  return x < 0 ? 0.0 : std::exp(-x);
}

struct Shape {
  const char* why;
  Histogram histogram;
};
std::vector<Shape> shapes() {
  return {{"a normal distribution, +-6 deviations", histogram_of(-6.0f, 6.0f, normal)},
          {"long tails", histogram_of(-12.0f, 14.0f, laplace)},
          {"after a ReLU", histogram_of(0.0f, 15.0f, rectified)},
          {"far from zero", histogram_of(3.0f, 5.0f, [](double x) { return normal(x - 4.0); })},
          {"negative", histogram_of(-9.0f, -1.0f, [](double x) { return normal(x + 3.0); })}};
}

/// Each bin as 256 points that the oracle quantizes.
double sampled_error(const Histogram& histogram, const AffineGrid& grid) {
  constexpr int kPoints = 256;
  const double low = histogram.range.low, width = (double{histogram.range.high} - low) / 2048;
  double sum = 0.0, total = 0.0;
  for (int bin = 0; bin < 2048; ++bin) {
    const auto here = static_cast<double>(histogram.counts[bin]);
    for (int point = 0; point < kPoints; ++point) {
      const auto x = static_cast<float>(low + width * (bin + (point + 0.5) / kPoints));
      const double difference = double{x} - oracle::fake_quantize(x, to_oracle(grid));
      sum += here * difference * difference;
    }
    total += here * kPoints;
  }
  return sum / total;
}

TEST(MeanSquaredError, AgreesWithSampledQuantization) {
  for (const Shape& shape : shapes()) {
    for (const AffineGrid& grid : {AffineGrid{0.05f, 0}, AffineGrid{0.02f, -100}, AffineGrid{0.5f, 0, -8, 7},
                                   AffineGrid{1.0f, -8, -8, 7}, AffineGrid{0.003f, 0}, AffineGrid{30.0f, 0},
                                   AffineGrid{0.7f, 0, -2, 1}}) {
      SCOPED_TRACE(testing::Message() << shape.why << ", scale " << grid.scale);
      const double expected = sampled_error(shape.histogram, grid);
      EXPECT_NEAR(mean_squared_error(shape.histogram, grid), expected, 1e-3 * expected);
    }
  }
  EXPECT_EQ(mean_squared_error(Histogram(), {}), 0.0);
}

TEST(LeastErrorRange, IsTheBestOfAllSymmetricCandidates) {
  for (const Shape& shape : shapes()) {
    for (const auto& [qmin, qmax] : {std::pair{-128, 127}, {-127, 127}, {-8, 7}, {-2, 1}}) {
      SCOPED_TRACE(testing::Message() << shape.why << ", codes " << qmin << ".." << qmax);
      const HistogramRange range = shape.histogram.range;
      const double magnitude = std::max(-range.low, range.high);
      ClippingRange best{0.0f, 0.0f, 1e300};
      for (int k = 2048; k > 0; --k) {
        const auto t = static_cast<float>(magnitude * k / 2048);
        const double error = mean_squared_error(shape.histogram, grid_of_range(-t, t, qmin, qmax, true));
        if (error < best.mean_squared_error) best = {-t, t, error};
      }
      const ClippingRange got = least_error_range(shape.histogram, qmin, qmax, true);
      EXPECT_EQ(got.low, best.low);
      EXPECT_EQ(got.high, best.high);
      EXPECT_EQ(got.mean_squared_error, best.mean_squared_error);
    }
  }
}

TEST(LeastErrorRange, BeatsEveryCoarsePairOfEndsAndItsOwnNeighbours) {
  for (const Shape& shape : shapes()) {
    for (const auto& [qmin, qmax] : {std::pair{-128, 127}, {-8, 7}, {0, 3}}) {
      SCOPED_TRACE(testing::Message() << shape.why << ", codes " << qmin << ".." << qmax);
      const double low = std::min(shape.histogram.range.low, 0.0f),
                   high = std::max(shape.histogram.range.high, 0.0f);
      const ClippingRange got = least_error_range(shape.histogram, qmin, qmax, false);
      const auto error = [&](double i, double j) {
        const auto from = static_cast<float>(low * i / 1024), to = static_cast<float>(high * j / 1024);
        return mean_squared_error(shape.histogram, grid_of_range(from, to, qmin, qmax, false));
      };
      EXPECT_EQ(got.mean_squared_error,
                mean_squared_error(shape.histogram, grid_of_range(got.low, got.high, qmin, qmax, false)));
      for (int i = 1024; i >= 0; i -= 32) {
        for (int j = 1024; j >= 0; j -= 32) {
          if (low * i == 0.0 && high * j == 0.0) continue;
          EXPECT_LE(got.mean_squared_error, error(i, j)) << i << " " << j;
        }
      }
      const double i = low == 0.0 ? 0.0 : std::round(got.low / low * 1024);
      const double j = high == 0.0 ? 0.0 : std::round(got.high / high * 1024);
      for (const double di : {-1.0, 0.0, 1.0}) {
        for (const double dj : {-1.0, 0.0, 1.0}) {
          if (std::min(i + di, j + dj) < 0.0 || std::max(i + di, j + dj) > 1024.0) continue;
          EXPECT_LE(got.mean_squared_error, error(i + di, j + dj)) << di << " " << dj;
        }
      }
    }
  }
}

// Banner et al., arXiv:1810.05723, table of optimal clipping values: 2.55 deviations for 4 bits, 3.92 for 8.
TEST(LeastErrorRange, ClipsANormalDistributionWhereTheLiteratureDoes) {
  const Histogram histogram = histogram_of(-6.0f, 6.0f, normal);
  EXPECT_NEAR(least_error_range(histogram, -8, 7, false).high, 2.55f, 0.25f);
  EXPECT_NEAR(least_error_range(histogram, -128, 127, true).high, 3.92f, 0.25f);
}

TEST(LeastErrorRange, KeepsARangeThatTheCodesCoverExactly) {
  const Histogram uniform = histogram_of(-1.0f, 1.0f, [](double) { return 1.0; });
  const ClippingRange range = least_error_range(uniform, -128, 127, false);
  EXPECT_LT(range.low, -0.99f);
  EXPECT_GT(range.high, 0.99f);
}

TEST(LeastErrorRange, OfAnEmptyHistogramIsEmpty) {
  const ClippingRange range = least_error_range(Histogram(), -128, 127, true);
  EXPECT_EQ(range.low, 0.0f);
  EXPECT_EQ(range.high, 0.0f);
  EXPECT_EQ(range.mean_squared_error, 0.0);
}

}  // namespace
}  // namespace samebits::kernels
