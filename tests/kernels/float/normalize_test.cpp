// kernels/float/normalize.h: layer, group and rms norms of rows, and the affine map of a batch norm.
#include "kernels/float/normalize.h"

#include <gmock/gmock.h>

#include "tests/kernels/float/rows.h"

namespace samebits::kernels {
namespace {

class Normalize : public KernelTest {};

struct NormCase {
  std::int64_t rows, n, run, weight_rows;
  bool is_rms, has_weight, has_bias;
};

std::vector<NormCase> norm_cases() {
  std::vector<NormCase> cases;
  for (const std::int64_t n : kRowSizes)
    for (const bool is_rms : {false, true}) {
      cases.push_back({4, n, 1, 1, is_rms, true, !is_rms});
      cases.push_back({2, n, 1, 1, is_rms, n % 2 == 0, n % 3 == 0});
    }
  for (const auto& [channels, pixels] : {std::pair{1, 1}, {3, 49}, {4, 16}, {2, 17}, {8, 2}, {5, 1000}})
    for (const std::int64_t groups : {1, 3})
      cases.push_back({2 * groups, channels * pixels, pixels, groups, false, channels != 4, true});
  return cases;
}

/// The weights of row `row`, one an element.
std::vector<float> of_row(const std::vector<float>& weight, const NormCase& c, std::int64_t row) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < c.n && !weight.empty(); ++i)
    result.push_back(weight[row % c.weight_rows * (c.n / c.run) + i / c.run]);
  return result;
}

TEST_F(Normalize, GivesTheOraclesBitsAndStatisticsWhateverTheSplit) {
  Random random(1);
  for (const NormCase& c : norm_cases()) {
    std::vector<float> values, y, mean, rstd;
    const std::int64_t weights = c.weight_rows * (c.n / c.run);
    const std::vector<float> weight = random_floats(random, c.has_weight ? weights : 0, 2.0f),
                             bias = random_floats(random, c.has_bias ? weights : 0, 1.0f);
    for (std::int64_t row = 0; row < c.rows; ++row) {
      const std::vector<float> x = hard_row(random, c.n, 3.0f);
      const oracle::Normalized each =
          oracle::normalized(x, 1e-5f, c.is_rms, of_row(weight, c, row), of_row(bias, c, row));
      values.insert(values.end(), x.begin(), x.end());
      y.insert(y.end(), each.y.begin(), each.y.end());
      mean.push_back(oracle::one_nan(each.mean));
      rstd.push_back(oracle::one_nan(each.rstd));
    }
    const Unaligned<float> x(values, 1);
    for (const auto& entry : under_test(normalize_rows)) {
      SCOPED_TRACE(testing::Message() << entry.name << ", n " << c.n << ", run " << c.run << ", rms "
                                      << c.is_rms << ", weight " << c.has_weight << ", bias " << c.has_bias);
      Guarded<float> to(std::ssize(values), 3), means(c.rows), rstds(c.rows);
      for (const auto& [begin, end] : random_pieces(random, c.rows, 1))
        entry.run({x.data(), to.data(), c.n, 1e-5f, c.is_rms, c.has_weight ? weight.data() : nullptr,
                   c.has_bias ? bias.data() : nullptr, c.run, c.weight_rows, means.data(), rstds.data()},
                  begin, end);
      EXPECT_EQ(first_difference(to.values(), y), "");
      EXPECT_EQ(first_difference(means.values(), mean), "");
      EXPECT_EQ(first_difference(rstds.values(), rstd), "");
      EXPECT_TRUE(to.guards_untouched() && means.guards_untouched() && rstds.guards_untouched());
    }
  }
}

TEST_F(Normalize, IsCloseToTheExactValueOfRowsFarFromZero) {
  Random random(2);
  for (const float offset : {0.0f, 100.0f}) {
    std::vector<float> x = random_floats(random, 1000, 1.0f), y(1000);
    for (float& value : x) value += offset;
    normalize_rows({x.data(), y.data(), 1000, 1e-5f}, 0, 1);
    long double mean = 0, variance = 0;
    for (const float value : x) mean += value / 1000.0L;
    for (const float value : x) variance += (value - mean) * (value - mean) / 1000;
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(y[i], static_cast<double>((x[i] - mean) / std::sqrt(variance + 1e-5L)), 2e-5);
  }
}

TEST_F(Normalize, ChannelsAreScaledAndShiftedWithTwoRoundings) {
  Random random(3);
  for (const std::int64_t channels : {1, 3, 16, 19})
    for (const std::int64_t inner : {1, 2, 9, 64}) {
      const std::vector<float> values = hard_row(random, 4 * channels * inner, 3.0f),
                               scale = random_floats(random, channels, 2.0f),
                               bias = random_floats(random, channels, 1.0f);
      std::vector<float> expected;
      for (std::int64_t i = 0; i < std::ssize(values); ++i) {
        const std::int64_t c = i / inner % channels;
        expected.push_back(oracle::one_nan(oracle::add(oracle::multiply(values[i], scale[c]), bias[c])));
      }
      const Unaligned<float> x(values, 1);
      for (const auto& entry : under_test(scale_channels)) {
        SCOPED_TRACE(testing::Message() << entry.name << ": " << channels << " channels of " << inner);
        Guarded<float> y(std::ssize(values), 1);
        for (const auto& [begin, end] : random_pieces(random, 4 * channels, 1))
          entry.run({x.data(), y.data(), scale.data(), bias.data(), channels, inner}, begin, end);
        EXPECT_EQ(first_difference(y.values(), expected), "");
        EXPECT_TRUE(y.guards_untouched());
      }
    }
}

TEST_F(Normalize, ABatchNormIsAScaleAndABiasEachRoundedInTheContractsOrder) {
  Random random(4);
  const std::int64_t n = 50;
  const std::vector<float> weight = random_floats(random, n, 2.0f), bias = random_floats(random, n, 1.0f),
                           mean = random_floats(random, n, 3.0f);
  std::vector<float> var = random_floats(random, n, 1.0f), scale(n), shift(n);
  for (float& value : var) value = std::fabs(value);
  for (const bool is_affine : {false, true}) {
    batch_norm_terms({is_affine ? weight.data() : nullptr, is_affine ? bias.data() : nullptr, mean.data(),
                      var.data(), 1e-5f},
                     n, scale.data(), shift.data());
    for (std::int64_t c = 0; c < n; ++c) {
      const float g =
          oracle::divide(is_affine ? weight[c] : 1.0f, oracle::sqrt_of(oracle::add(var[c], 1e-5f)));
      EXPECT_EQ(bits(scale[c]), bits(g));
      EXPECT_EQ(bits(shift[c]), bits(oracle::add(oracle::multiply(-mean[c], g), is_affine ? bias[c] : 0.0f)));
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
