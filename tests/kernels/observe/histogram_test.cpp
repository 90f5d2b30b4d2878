// kernels/observe/histogram.h: bins by the documented formula in the oracle's arithmetic, exact counts,
// rebinning against exact fractions.
#include "kernels/observe/histogram.h"

#include <numeric>

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {
namespace {

class HistogramTest : public KernelTest {};

Histogram empty_on(HistogramRange range) {
  return {.range = range, .counts = {}, .nans = 0};
}

/// The bin of the header's formula, each float32 rounding one call of the oracle.
std::int64_t expected_bin(float x, HistogramRange range) {
  const float half_low = oracle::multiply(range.low, 0.5f), half_high = oracle::multiply(range.high, 0.5f);
  const float bins_per_half = oracle::divide(2048.0f, oracle::add(half_high, -half_low));
  const double position = oracle::multiply(oracle::add(oracle::multiply(x, 0.5f), -half_low), bins_per_half);
  return static_cast<std::int64_t>(std::fmin(std::fmax(std::floor(position), 0.0), 2047.0));
}

Histogram expect(std::span<const float> x, HistogramRange range) {
  Histogram histogram = empty_on(range);
  for (const float value : x) {
    if (std::isnan(value))
      ++histogram.nans;
    else
      ++histogram.counts[expected_bin(value, range)];
  }
  return histogram;
}

void expect_equal(const Histogram& got, const Histogram& expected) {
  EXPECT_EQ(got.range, expected.range);
  EXPECT_EQ(first_difference<std::int64_t>(std::span(got.counts), std::span(expected.counts)), "");
  EXPECT_EQ(got.nans, expected.nans);
}

void expect_oracle(const std::vector<float>& values, HistogramRange range, std::int64_t offset = 0) {
  const Unaligned<float> x(values, offset);
  for (const auto& entry : under_test(count)) {
    SCOPED_TRACE(testing::Message() << entry.name << ", " << values.size() << " elements, range ["
                                    << range.low << ", " << range.high << "]");
    Histogram got = empty_on(range);
    entry.run(x.data(), 0, std::ssize(values), got, FloatType::kFloat32);
    expect_equal(got, expect(values, range));
  }
}

const HistogramRange kRanges[] = {
    {0.0f, 2048.0f},    {-1.0f, 1.0f},     {0.1f, 0.7f},
    {-3e38f, kLargest}, {0.0f, 0x1p-100f}, {1.0f, 1.0f + 0x1p-20f},
};

struct Case {
  const char* why;
  float x;
  std::int64_t bin;  // -1: none
};
const Case kCases[] = {
    {"the middle of a bin", 5.5f, 5},
    {"a bin has its lower edge", 5.0f, 5},
    {"and not its upper one", 0x1.7ffffep2f, 5},
    {"the low end", 0.0f, 0},
    {"minus zero", -0.0f, 0},
    {"the high end belongs to the last bin", 2048.0f, 2047},
    {"above", 2050.0f, 2047},
    {"far above", kLargest, 2047},
    {"infinity", kInfinity, 2047},
    {"below", -0.5f, 0},
    {"minus infinity", -kInfinity, 0},
    {"NaN", std::numeric_limits<float>::quiet_NaN(), -1},
};

TEST_F(HistogramTest, PutsHandMadeValuesIntoTheirBins) {
  for (const Case& c : kCases) {
    for (const std::int64_t n : {1, 4096, 5000}) {
      SCOPED_TRACE(testing::Message() << c.why << ", " << n << " times");
      const std::vector<float> x(n, c.x);
      for (const auto& entry : under_test(count)) {
        Histogram got = empty_on({0.0f, 2048.0f});
        entry.run(x.data(), 0, n, got, FloatType::kFloat32);
        EXPECT_EQ(c.bin < 0 ? got.nans : got.counts[c.bin], n) << entry.name;
        EXPECT_EQ(got.total() + got.nans, n) << entry.name;
      }
    }
  }
}

TEST_F(HistogramTest, FollowsItsFormulaForEveryRangeCountAndAlignment) {
  Random random(1);
  for (const HistogramRange range : kRanges) {
    for (const std::int64_t n : {0, 1, 15, 4095, 4096, 4111, 10007}) {
      std::vector<float> x = random_floats(random, n, 1.0f);
      for (float& value : x)
        value = range.low * 0.5f + range.high * 0.5f + value * (range.high * 0.6f - range.low * 0.6f);
      expect_oracle(x, range, n % 8);
    }
  }
}

TEST_F(HistogramTest, FollowsItsFormulaAtTheNeighboursOfEveryEdge) {
  for (const HistogramRange range : kRanges) {
    std::vector<float> x = special_values();
    for (int bin = 0; bin <= 2048; ++bin)
      push_neighbours(static_cast<float>(range.low + (double{range.high} - range.low) * bin / 2048), 2, x);
    expect_oracle(x, range);
  }
}

TEST_F(HistogramTest, FollowsItsFormulaOnEvery4096thOfAllFloats) {
  for (const HistogramRange range : kRanges) expect_oracle(sampled_patterns(0, 1u << 16), range);
}

TEST_F(HistogramTest, AddsToTheCountsThatAreThere) {
  Random random(2);
  const std::vector<float> x = random_floats(random, 6000, 1.0f);
  for (const auto& entry : under_test(count)) {
    Histogram got = empty_on({-1.0f, 1.0f});
    entry.run(x.data(), 0, 5000, got, FloatType::kFloat32);
    entry.run(x.data(), 5000, 6000, got, FloatType::kFloat32);
    expect_equal(got, expect(x, {-1.0f, 1.0f}));
  }
}

TEST_F(HistogramTest, ReadsExactlyItsElements) {
  std::vector<float> x(9000, nans().front());  // a NaN wherever it must not look
  std::fill(x.begin() + 13, x.begin() + 8007, 0.25f);
  for (const auto& entry : under_test(count)) {
    Histogram got = empty_on({0.0f, 1.0f});
    entry.run(x.data(), 13, 8007, got, FloatType::kFloat32);
    EXPECT_EQ(got.nans, 0) << entry.name;
    EXPECT_EQ(got.counts[512], 8007 - 13) << entry.name;
  }
}

// As threads share a tensor.
TEST_F(HistogramTest, HistogramsOfAnyPiecesInAnyOrderMergeToThatOfTheWhole) {
  Random random(3);
  const HistogramRange range{-1.0f, 2.0f};
  for (int round = 0; round < 20; ++round) {
    std::vector<float> x = random_floats(random, 30000, 2.5f);
    x[round] = nans().front();
    auto pieces = random_pieces(random, std::ssize(x), 1);
    std::shuffle(pieces.begin(), pieces.end(), random);
    Histogram merged;
    for (const auto& [first, last] : pieces) {
      Histogram piece = empty_on(range);
      count(x.data(), first, last, piece, FloatType::kFloat32);
      merged = merge(merged, piece);
    }
    expect_equal(merged, expect(x, range));
  }
}

struct RangeCase {
  const char* why;
  float min, max;
  HistogramRange range;
};
const RangeCase kRangeCases[] = {
    {"an ordinary range stays", -1.0f, 3.0f, {-1.0f, 3.0f}},
    {"a narrow one that floats can tell apart stays", 1.0f, 1.0f + 0x1p-19f, {1.0f, 1.0f + 0x1p-19f}},
    {"one value is widened by 2^-20 of it", 4.0f, 4.0f, {4.0f - 0x1p-18f, 4.0f + 0x1p-18f}},
    {"zeros are widened by 2^-100", 0.0f, 0.0f, {-0x1p-100f, 0x1p-100f}},
    {"denormals too", 0.0f, 0x1p-149f, {-0x1p-100f, 0x1p-100f}},
    {"the widest range stays", -kLargest, kLargest, {-kLargest, kLargest}},
    {"the largest float has nothing above", kLargest, kLargest, {0x1.ffffdep127f, kLargest}},
};

TEST(HistogramRangeTest, IsNeverTooNarrowToDivideBy) {
  for (const RangeCase& c : kRangeCases) {
    SCOPED_TRACE(c.why);
    const HistogramRange range = histogram_range(c.min, c.max);
    EXPECT_EQ(range, c.range) << std::hexfloat << range.low << " " << range.high;
    EXPECT_TRUE(std::isfinite(range.bins_per_half()) && range.bins_per_half() > 0.0f);
    EXPECT_EQ(expected_bin(range.low, range), 0);
    EXPECT_EQ(expected_bin(range.high, range), 2047);
  }
}

Histogram random_histogram(Random& random, HistogramRange range) {
  Histogram histogram = empty_on(range);
  for (auto& c : histogram.counts) c = random_int(random, 0, 3) == 0 ? 0 : random_int(random, 0, 1000000);
  histogram.nans = 7;
  return histogram;
}

TEST(Rebin, OnTwiceTheRangeAddsPairsOfBins) {
  Random random(4);
  const Histogram old = random_histogram(random, {-1.0f, 1.0f});
  const Histogram wide = rebin(old, {-1.0f, 3.0f});
  for (std::int64_t bin = 0; bin < 1024; ++bin)
    EXPECT_EQ(wide.counts[bin], old.counts[2 * bin] + old.counts[2 * bin + 1]) << bin;
  EXPECT_EQ(wide.total(), old.total());
  EXPECT_EQ(wide.nans, 7);
}

TEST(Rebin, OnTheSameRangeChangesNothing) {
  Random random(5);
  for (const HistogramRange range : kRanges) {
    const Histogram old = random_histogram(random, range);
    expect_equal(rebin(old, range), old);
  }
}

/// The exact count below `edge`, bins spreading theirs evenly.
long double count_below(const Histogram& histogram, long double edge) {
  const long double low = histogram.range.low, high = histogram.range.high;
  long double sum = 0;
  for (int bin = 0; bin < 2048; ++bin) {
    const long double bin_low = low + (high - low) * bin / 2048, width = (high - low) / 2048;
    const long double part = (edge - bin_low) / width;
    sum += static_cast<long double>(histogram.counts[bin]) * std::min(std::max(part, 0.0L), 1.0L);
  }
  return sum;
}

TEST(Rebin, KeepsTheTotalAndIsOffByLessThanOneAtEachEdge) {
  Random random(6);
  for (int round = 0; round < 30; ++round) {
    const std::vector<float> ends = random_floats(random, 4, std::ldexp(1.0f, round - 15));
    const HistogramRange from = histogram_range(std::min(ends[0], ends[1]), std::max(ends[0], ends[1]));
    const HistogramRange to = histogram_range(std::min(ends[2], ends[3]), std::max(ends[2], ends[3]));
    const Histogram old = random_histogram(random, from);
    const Histogram got = rebin(old, to);
    ASSERT_EQ(got.range, to);
    ASSERT_EQ(got.total(), old.total());
    std::int64_t below = 0;
    for (int bin = 0; bin < 2047; ++bin) {
      ASSERT_GE(got.counts[bin], 0);
      below += got.counts[bin];
      const long double width = static_cast<long double>(to.high) - to.low;
      const long double exact = count_below(old, to.low + width * (bin + 1) / 2048);
      ASSERT_LE(static_cast<long double>(below), exact + 1e-3L) << round << ": bin " << bin;
      ASSERT_GE(static_cast<long double>(below), exact - 1.001L) << round << ": bin " << bin;
    }
  }
}

TEST(Merge, TakesTheHullOfBothRangesAndKeepsEveryCount) {
  Random random(7);
  const Histogram a = random_histogram(random, {-1.0f, 1.0f}), b = random_histogram(random, {0.5f, 4.0f});
  const Histogram both = merge(a, b);
  EXPECT_EQ(both.range, (HistogramRange{-1.0f, 4.0f}));
  EXPECT_EQ(both.total(), a.total() + b.total());
  EXPECT_EQ(both.nans, 14);
  expect_equal(merge(b, a), both);
  expect_equal(merge(a, Histogram()), a);
  expect_equal(merge(Histogram(), a), a);
  EXPECT_TRUE(merge(Histogram(), Histogram()).range.is_empty());
}

TEST(Widened, HoldsTheBatchAndTheOldRangeAndChangesOnlyWhatItMust) {
  Random random(8);
  const Histogram old = random_histogram(random, {-1.0f, 1.0f});
  expect_equal(widened(old, {-1.0f, 1.0f, false}), old);
  expect_equal(widened(old, {0.2f, 0.2f, false}), old);
  expect_equal(widened(old, {}), old);  // an empty batch
  expect_equal(widened(old, {-1.0f, kInfinity, false}), old);
  expect_equal(widened(old, {-kInfinity, 0.0f, false}), old);
  expect_equal(widened(old, {0.0f, 3.0f, false}), rebin(old, {-1.0f, 3.0f}));
  expect_equal(widened(old, {-2.0f, 0.0f, false}), rebin(old, {-2.0f, 1.0f}));
  EXPECT_EQ(widened(Histogram(), {0.5f, 2.0f, false}).range, (HistogramRange{0.5f, 2.0f}));
  EXPECT_EQ(widened(Histogram(), {4.0f, 4.0f, false}).range, histogram_range(4.0f, 4.0f));
}

TEST(Quantile, LiesWithinABinOfTheSortedValues) {
  Random random(9);
  std::vector<float> x(20000);
  for (float& value : x) value = random_floats(random, 1, 1.0f)[0] * random_floats(random, 1, 1.0f)[0];
  const auto [min, max] = std::minmax_element(x.begin(), x.end());
  const HistogramRange range{*min, *max};
  const Histogram histogram = expect(x, range);
  std::sort(x.begin(), x.end());
  const float bin = (range.high - range.low) / 2048;
  for (const double p : {0.0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0}) {
    const float exact = x[std::min<std::size_t>(static_cast<std::size_t>(p * 20000.0), 19999)];
    EXPECT_NEAR(quantile(histogram, p), exact, 1.5f * bin) << p;
  }
}

TEST(Quantile, GivesTheEdgesOfTheOnlyBinThatHoldsAnything) {
  Histogram histogram = empty_on({0.0f, 2048.0f});
  histogram.counts[100] = 8;
  EXPECT_EQ(quantile(histogram, 0.0), 100.0f);
  EXPECT_EQ(quantile(histogram, 0.25), 100.25f);
  EXPECT_EQ(quantile(histogram, 1.0), 101.0f);
  EXPECT_EQ(percentile_range(histogram, 0.75), (HistogramRange{100.25f, 100.75f}));
  EXPECT_EQ(quantile(Histogram(), 0.5), 0.0f);
}

TEST_F(HistogramTest, WidensSixteenBitFloatsExactly) {
  Random random(10);
  for (const StoredType& stored : kStoredTypes) {
    SCOPED_TRACE(stored.name);
    for (const HistogramRange range : kRanges) {
      const Bytes x =
          stored.bytes == 2 ? all_patterns() : encoded(random_floats(random, 5000, 2.0f), stored.type);
      const Histogram expected = expect(decoded(x, stored.type), range);
      for (const auto& entry : under_test(count)) {
        Histogram got = empty_on(range);
        entry.run(x.data(), 0, std::ssize(x) / stored.bytes, got, stored.type);
        expect_equal(got, expected);
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
