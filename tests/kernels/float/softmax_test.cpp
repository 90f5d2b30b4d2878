// kernels/float/softmax.h: the oracle's bits for rows of every length and place, and what makes a row NaN.
#include "kernels/float/softmax.h"

#include <gmock/gmock.h>

#include "tests/kernels/float/rows.h"

namespace samebits::kernels {
namespace {

class Softmax : public KernelTest {};

std::vector<float> expected(const RowsCase& c, bool is_log) {
  return oracle::for_rows(c.x, c.shape.n, c.shape.inner,
                          [&](const std::vector<float>& row) { return oracle::softmax_of(row, is_log); });
}

TEST_F(Softmax, GivesTheOraclesBitsWhateverTheLengthThePlaceAndTheSplit) {
  Random random(1);
  for (const RowsCase& c : rows_cases(random))
    for (const bool is_log : {false, true}) {
      const std::vector<float> y = expected(c, is_log);
      const Unaligned<float> x(c.x, 1);
      for (const auto& entry : under_test(softmax)) {
        SCOPED_TRACE(testing::Message() << entry.name << ", n " << c.shape.n << ", inner " << c.shape.inner
                                        << (is_log ? ", log" : ""));
        Guarded<float> to(std::ssize(c.x), 3);
        for (const auto& [begin, end] : random_pieces(random, c.rows(), 1))
          entry.run({x.data(), to.data(), c.shape, is_log}, begin, end);
        EXPECT_EQ(first_difference(to.values(), y), "");
        EXPECT_TRUE(to.guards_untouched());
        std::vector<float> in_place = c.x;
        entry.run({in_place.data(), in_place.data(), c.shape, is_log}, 0, c.rows());
        EXPECT_EQ(first_difference(in_place, y), "");
      }
    }
}

TEST_F(Softmax, IsNaNWhereARowHasNoFiniteSum) {
  const float nan = std::bit_cast<float>(0xFFC00001u);
  const struct {
    const char* why;
    std::vector<float> x;
    bool is_nan;
  } kCases[] = {
      {"a NaN", {1, nan, 2}, true},
      {"+infinity", {1, kInfinity, 2}, true},
      {"nothing but -infinity", {-kInfinity, -kInfinity}, true},
      {"-infinity beside a number is a probability of 0", {-kInfinity, 3}, false},
      {"numbers whose difference overflows", {-3e38f, 3e38f}, false},
      {"zeros of both signs", {-0.0f, 0.0f}, false},
  };
  for (const auto& entry : under_test(softmax))
    for (const auto& c : kCases)
      for (const bool is_log : {false, true}) {
        SCOPED_TRACE(testing::Message() << entry.name << ": " << c.why);
        std::vector<float> y(c.x.size());
        entry.run({c.x.data(), y.data(), {std::ssize(c.x)}, is_log}, 0, 1);
        EXPECT_EQ(first_difference(y, oracle::softmax_of(c.x, is_log)), "");
        for (const float value : y) EXPECT_EQ(std::isnan(value), c.is_nan);
      }
}

TEST_F(Softmax, IsCloseToTheExactValue) {
  Random random(2);
  for (const std::int64_t n : {3, 197, 50257}) {
    const std::vector<float> x = random_floats(random, n, 20.0f);
    std::vector<float> y(n), log_y(n);
    softmax({x.data(), y.data(), {n}}, 0, 1);
    softmax({x.data(), log_y.data(), {n}, true}, 0, 1);
    const long double largest = *std::max_element(x.begin(), x.end());
    long double total = 0;
    for (const float value : x) total += std::exp(value - largest);
    for (std::int64_t i = 0; i < n; ++i) {
      const long double log_exact = x[i] - largest - std::log(total), exact = std::exp(log_exact);
      // The difference is rounded, and exp makes a relative error of its absolute one.
      EXPECT_LE(std::fabs(y[i] - exact), (largest - x[i] + 6) * 0x1p-24L * exact);
      EXPECT_LE(std::fabs(log_y[i] - log_exact), (2 * std::fabs(log_exact) + 4) * 0x1p-24L);
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
