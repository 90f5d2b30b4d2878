// kernels/matmul/epilogue.h against the oracle: each operation rounded once, none fused.
#include "kernels/matmul/epilogue.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class Epilogue : public KernelTest {};

/// Accumulators, and terms of as many channels. `bias` may be left out.
struct Row {
  std::vector<std::int32_t> accumulators, correction;
  std::vector<float> scale, bias;

  std::int64_t size() const { return std::ssize(accumulators); }
  float scaled(std::int32_t accumulator, std::int64_t c) const {
    return oracle::multiply(oracle::to_float(std::int64_t{accumulator} - correction[c]), scale[c]);
  }
  /// y of an accumulator with the terms of channel c.
  float y(std::int32_t accumulator, std::int64_t c, bool with_bias) const {
    const float product = scaled(accumulator, c);
    return with_bias ? oracle::add(product, bias[c]) : product;
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
    row.bias.push_back(row.scaled(row.accumulators[i], i) * random_floats(random, 1, 2.0f)[0]);
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

/// y of `accumulators` with the terms of channel c.
void expect_channel(const Row& row, std::int64_t c, const std::vector<std::int32_t>& accumulators) {
  for (const bool with_bias : {true, false}) {
    const ChannelTerms terms{row.correction.data() + c, row.scale.data() + c,
                             with_bias ? row.bias.data() + c : nullptr};
    std::vector<float> expected;
    for (const std::int32_t accumulator : accumulators) expected.push_back(row.y(accumulator, c, with_bias));
    for (const auto& entry : under_test(epilogue_channel)) {
      for (const std::int64_t offset : {0, 1}) {
        Guarded<float> y(std::ssize(accumulators), offset);
        entry.run(accumulators.data(), terms, y.data(), std::ssize(accumulators));
        ASSERT_EQ(first_difference(y.values(), expected), "") << entry.name << ", bias " << with_bias;
        ASSERT_TRUE(y.guards_untouched()) << entry.name;
      }
    }
  }
}

TEST_F(Epilogue, RoundsEachOperationOnceAndWritesNothingElse) {
  Random random(1);
  for (const std::int64_t n : kCounts) {
    SCOPED_TRACE(n);
    const Row row = random_row(random, std::max<std::int64_t>(n, 1));
    expect_channel(row, 0, {row.accumulators.begin(), row.accumulators.begin() + n});
  }
}

TEST_F(Epilogue, ConvertsTheEndsOfInt32AndTiesOfFloat32) {
  const Row row = extreme_row();
  for (std::int64_t c = 0; c < row.size(); ++c)
    expect_channel(row, c, std::vector<std::int32_t>(19, row.accumulators[c]));
}

// What -ffp-contract=off is for: these very rows would come out otherwise with one fused multiply-add.
TEST_F(Epilogue, AFusedMultiplyAddWouldShowInTheseTests) {
  Random random(1);
  std::int64_t differing = 0;
  const Row row = random_row(random, 1000);
  for (std::int64_t c = 0; c < row.size(); ++c) {
    const float difference = oracle::to_float(std::int64_t{row.accumulators[c]} - row.correction[c]);
    differing +=
        bits(std::fma(difference, row.scale[c], row.bias[c])) != bits(row.y(row.accumulators[c], c, true));
  }
  EXPECT_GT(differing, 100);
}

TEST_F(Epilogue, TheChosenKernelGivesTheSameBits) {
  Random random(5);
  const Row row = random_row(random, 100);
  std::vector<float> y(100);
  epilogue_channel(row.accumulators.data(), {row.correction.data(), row.scale.data(), row.bias.data()},
                   y.data(), 100);
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(bits(y[i]), bits(row.y(row.accumulators[i], 0, true)));
}

}  // namespace
}  // namespace samebits::kernels
