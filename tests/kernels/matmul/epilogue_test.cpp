// kernels/matmul/epilogue.h against the oracle: each operation rounded once, none fused.
#include "kernels/matmul/epilogue.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class Epilogue : public KernelTest {};

/// A row of accumulators with terms for each channel. `bias` may be left out.
struct Row {
  std::vector<std::int32_t> accumulators, correction;
  std::vector<float> scale, bias;

  std::int64_t size() const { return std::ssize(accumulators); }
  ChannelTerms terms(bool with_bias) const {
    return {correction.data(), scale.data(), with_bias ? bias.data() : nullptr};
  }
  float scaled(std::int64_t i, std::int64_t c) const {
    return oracle::multiply(oracle::to_float(std::int64_t{accumulators[i]} - correction[c]), scale[c]);
  }
  /// y[i] with the terms of channel c.
  float y(std::int64_t i, std::int64_t c, bool with_bias) const {
    return with_bias ? oracle::add(scaled(i, c), bias[c]) : scaled(i, c);
  }
};

/// Sums of any size, differences within int32, scales of any sign of exponent, biases near the products.
Row random_row(Random& random, std::int64_t n) {
  Row row;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t size = std::int64_t{1} << random_int(random, 1, 29);
    row.accumulators.push_back(static_cast<std::int32_t>(random_int(random, -size, size)));
    row.correction.push_back(static_cast<std::int32_t>(random_int(random, -size, size)));
    row.scale.push_back(
        std::ldexp(1.0f + random_floats(random, 1, 0.5f)[0], static_cast<int>(random_int(random, -30, 2))));
    row.bias.push_back(row.scaled(i, i) * random_floats(random, 1, 2.0f)[0]);
  }
  return row;
}

/// Accumulators and corrections whose difference rounds at a tie of float32, or stands at an end of int32.
Row extreme_row() {
  Row row;
  const std::pair<std::int32_t, std::int32_t> differences[] = {{INT32_MAX, 0},
                                                               {INT32_MIN, 0},
                                                               {INT32_MIN, INT32_MIN},
                                                               {INT32_MAX, INT32_MAX},
                                                               {-1, INT32_MAX},
                                                               {-1, INT32_MIN},
                                                               {(1 << 24) + 1, 0},
                                                               {(1 << 24) + 3, 0},
                                                               {-(1 << 24) - 1, 0},
                                                               {(1 << 25) + 2, 0},
                                                               {(1 << 25) + 6, 0},
                                                               {INT32_MAX - 63, 0},
                                                               {INT32_MAX - 64, 0},
                                                               {1 << 24, -1},
                                                               {0, (1 << 24) + 1},
                                                               {1 << 30, -(1 << 30) + 1},
                                                               {0, 0},
                                                               {1, 1},
                                                               {-1, 0},
                                                               {5, 3}};
  for (const auto& [accumulator, correction] : differences) {
    row.accumulators.push_back(accumulator);
    row.correction.push_back(correction);
    row.scale.push_back(0x1.8p-20f);
    row.bias.push_back(0x1.000002p-3f);
  }
  return row;
}

std::vector<float> expected_row(const Row& row, bool with_bias) {
  std::vector<float> y;
  for (std::int64_t i = 0; i < row.size(); ++i) y.push_back(row.y(i, i, with_bias));
  return y;
}

void expect_row(const Row& row) {
  for (const bool with_bias : {true, false}) {
    for (const std::int64_t offset : {0, 1}) {
      for (const auto& entry : under_test(epilogue_row)) {
        Guarded<float> y(row.size(), offset);
        entry.run(row.accumulators.data(), row.terms(with_bias), y.data(), row.size());
        EXPECT_EQ(first_difference(y.values(), expected_row(row, with_bias)), "")
            << entry.name << ", bias " << with_bias;
        EXPECT_TRUE(y.guards_untouched()) << entry.name;
      }
    }
  }
}

TEST_F(Epilogue, RowRoundsEachOperationOnceAndWritesNothingElse) {
  Random random(1);
  for (const std::int64_t n : kCounts) {
    SCOPED_TRACE(n);
    expect_row(random_row(random, n));
  }
}

TEST_F(Epilogue, RowConvertsTheEndsOfInt32AndTiesOfFloat32) {
  expect_row(extreme_row());
}

TEST_F(Epilogue, ChannelUsesTheFirstTermsForAllElements) {
  Random random(2);
  for (const std::int64_t n : kCounts) {
    if (n == 0) continue;  // no first terms
    const Row row = random_row(random, n);
    for (const bool with_bias : {true, false}) {
      std::vector<float> expected;
      for (std::int64_t i = 0; i < n; ++i) expected.push_back(row.y(i, 0, with_bias));
      for (const auto& entry : under_test(epilogue_channel)) {
        Guarded<float> y(n, 1);
        entry.run(row.accumulators.data(), row.terms(with_bias), y.data(), n);
        EXPECT_EQ(first_difference(y.values(), expected), "")
            << entry.name << ", " << n << ", bias " << with_bias;
        EXPECT_TRUE(y.guards_untouched()) << entry.name << ", " << n;
      }
    }
  }
}

TEST_F(Epilogue, GroupAddsToTheTotalAndTheFirstOneIgnoresIt) {
  Random random(3);
  for (const std::int64_t n : kCounts) {
    const Row row = random_row(random, n);
    for (const bool is_first : {true, false}) {
      const std::vector<float> before =
          is_first ? std::vector<float>(n, std::nanf("")) : expected_row(row, true);
      std::vector<float> expected;
      for (std::int64_t c = 0; c < n; ++c)
        expected.push_back(oracle::add(is_first ? 0.0f : before[c], row.scaled(c, c)));
      for (const auto& entry : under_test(epilogue_group)) {
        Guarded<float> total(n, 1);
        std::copy(before.begin(), before.end(), total.data());
        entry.run(row.accumulators.data(), row.terms(false), is_first, total.data(), n);
        EXPECT_EQ(first_difference(total.values(), expected), "")
            << entry.name << ", " << n << ", first " << is_first;
        EXPECT_TRUE(total.guards_untouched()) << entry.name << ", " << n;
      }
    }
  }
}

TEST_F(Epilogue, GroupsEndScalesAndAddsTheBiasInPlaceToo) {
  Random random(4);
  for (const std::int64_t n : kCounts) {
    const Row row = random_row(random, n);
    const std::vector<float> total = expected_row(row, true);
    const float x_scale = 0.0123f;
    for (const bool with_bias : {true, false}) {
      std::vector<float> expected;
      for (std::int64_t c = 0; c < n; ++c) {
        const float product = oracle::multiply(total[c], x_scale);
        expected.push_back(with_bias ? oracle::add(product, row.bias[c]) : product);
      }
      const float* bias = with_bias ? row.bias.data() : nullptr;
      for (const auto& entry : under_test(epilogue_groups_end)) {
        Guarded<float> y(n, 1);
        entry.run(total.data(), x_scale, bias, y.data(), n);
        EXPECT_EQ(first_difference(y.values(), expected), "")
            << entry.name << ", " << n << ", bias " << with_bias;
        EXPECT_TRUE(y.guards_untouched()) << entry.name << ", " << n;
        std::vector<float> in_place = total;
        entry.run(in_place.data(), x_scale, bias, in_place.data(), n);
        EXPECT_EQ(first_difference(in_place, expected), "") << entry.name << ", " << n << ", in place";
      }
    }
  }
}

// What -ffp-contract=off is for: these very rows would come out otherwise with one fused multiply-add.
TEST_F(Epilogue, AFusedMultiplyAddWouldShowInTheseTests) {
  Random random(1);
  std::int64_t differing = 0;
  const Row row = random_row(random, 1000);
  for (std::int64_t c = 0; c < row.size(); ++c) {
    const float difference = oracle::to_float(std::int64_t{row.accumulators[c]} - row.correction[c]);
    differing += bits(std::fma(difference, row.scale[c], row.bias[c])) != bits(row.y(c, c, true));
  }
  EXPECT_GT(differing, 100);
}

TEST_F(Epilogue, TheDispatchedKernelsGiveTheSameBits) {
  Random random(5);
  const Row row = random_row(random, 100);
  const std::vector<float> expected = expected_row(row, true);
  std::vector<float> y(100), total(100);
  epilogue_row(row.accumulators.data(), row.terms(true), y.data(), 100);
  EXPECT_EQ(first_difference(y, expected), "");
  epilogue_channel(row.accumulators.data(), row.terms(true), y.data(), 1);
  EXPECT_EQ(bits(y[0]), bits(expected[0]));
  epilogue_group(row.accumulators.data(), row.terms(true), true, total.data(), 100);
  epilogue_groups_end(total.data(), 1.0f, row.bias.data(), y.data(), 100);
  EXPECT_EQ(first_difference(y, expected), "");
}

}  // namespace
}  // namespace samebits::kernels
