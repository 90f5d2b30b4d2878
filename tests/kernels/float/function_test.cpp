// kernels/float/function.h: every implementation has the oracle's bits, near what is hard and on a net over
// all floats, and the error that the contract states.
#include "kernels/float/function.h"

#include <gmock/gmock.h>

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/float/functions.h"

namespace samebits::kernels {
namespace {

class ApplyFunction : public KernelTest {};

std::vector<float> hard_inputs() {
  std::vector<float> x = special_values();
  // Where a branch changes, an exponential or a sum overflows, rounds to 0, becomes denormal or saturates.
  for (const float center :
       {0.9f,        3.0f,  4.0f,      5.0f,       9.1f,     14.5f,       25.0f,      87.33655f,
        88.72284f,   89.0f, 103.2789f, 103.97208f, 104.0f,   0.34657359f, 1.0397208f, 0.70710678f,
        1.41421356f, 1.0f,  0x1p-12f,  0x1p-24f,   0x1p-63f, 0x1p-126f,   0x1p64f})
    for (const float value : {center, -center}) push_neighbours(value, 40, x);
  for (int n = -160; n <= 160; ++n) push_neighbours(static_cast<float>((n + 0.5) * 0.693147180559945), 2, x);
  return x;
}

std::vector<float> expected(const FunctionCase& c, const std::vector<float>& x) {
  std::vector<float> y;
  for (const float value : x) y.push_back(c.oracle(value));
  return y;
}

template <class Entry>
std::vector<float> result_of(const Entry& entry, const FunctionCase& c, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  entry.run({c.function, x.data(), y.data(), c.scales}, 0, std::ssize(x));
  return y;
}

TEST_F(ApplyFunction, GivesTheOraclesBitsNearEverythingThatIsHard) {
  const std::vector<float> x = hard_inputs();
  for (const FunctionCase& c : function_cases()) {
    const std::vector<float> y = expected(c, x);
    for (const auto& entry : under_test(apply_function)) {
      SCOPED_TRACE(testing::Message() << c.name << ", " << entry.name);
      const std::vector<float> got = result_of(entry, c, x);
      EXPECT_EQ(first_difference(got, y), "");
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(got[i])) {
          EXPECT_EQ(bits(got[i]), 0x7FC00000u);
        }
      }
    }
  }
}

TEST_F(ApplyFunction, GivesTheOraclesBitsOnANetOverAllFloats) {
  const std::vector<float> all = sampled_patterns(0, 1 << 24);
  std::vector<float> x;
  for (std::size_t i = 0; i < all.size(); i += 67) x.push_back(all[i]);
  for (const FunctionCase& c : function_cases()) {
    const std::vector<float> y = expected(c, x);
    for (const auto& entry : under_test(apply_function))
      EXPECT_EQ(first_difference(result_of(entry, c, x), y), "") << c.name << ", " << entry.name;
  }
}

TEST_F(ApplyFunction, IsAsCloseToTheExactValueAsTheContractStates) {
  const std::vector<float> all = sampled_patterns(0, 1 << 24);
  std::vector<float> x = hard_inputs();
  for (std::size_t i = 0; i < all.size(); i += 31) x.push_back(all[i]);
  for (const FunctionCase& c : function_cases()) {
    const std::vector<float> y = result_of(under_test(apply_function).front(), c, x);
    double worst[2] = {};
    for (std::size_t i = 0; i < x.size(); ++i) {
      double& of_part = worst[std::fabs(x[i]) <= 5 ? 0 : 1];
      of_part = std::max(of_part, ulps_between(y[i], c.exact(x[i])));
    }
    EXPECT_LE(worst[0], c.ulps) << c.name;
    EXPECT_LE(worst[1], c.ulps_beyond) << c.name << " beyond 5";
  }
}

TEST_F(ApplyFunction, ChangesNoBitWithTheCountTheAlignmentTheSplitOrInPlace) {
  Random random(1);
  for (const FunctionCase& c : function_cases())
    for (const auto& entry : under_test(apply_function))
      for (const std::int64_t n : kCounts) {
        SCOPED_TRACE(testing::Message() << c.name << ", " << entry.name << ", n = " << n);
        const std::vector<float> values = random_floats(random, n, 6.0f), y = expected(c, values);
        const Unaligned<float> x(values, 3);
        Guarded<float> to(n, 1);
        for (const auto& [begin, end] : random_pieces(random, n, 1))
          entry.run({c.function, x.data(), to.data(), c.scales}, begin, end);
        EXPECT_EQ(first_difference(to.values(), y), "");
        EXPECT_TRUE(to.guards_untouched());
        std::vector<float> in_place = values;
        entry.run({c.function, in_place.data(), in_place.data(), c.scales}, 0, n);
        EXPECT_EQ(first_difference(in_place, y), "");
      }
}

}  // namespace
}  // namespace samebits::kernels
