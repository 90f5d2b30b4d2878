// kernels/float/bilinear.h: taps where LibTorch's rule has edges, and planes by hand. tests/runtime compares
// whole operators with the oracle.
#include "kernels/float/bilinear.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

struct Case {
  const char* why;
  LinearAxis axis;
  std::vector<LinearTap> taps;
};

TEST(Bilinear, FindsNeighboursAndWeights) {
  const Case kCases[] = {
      {"twice as many",
       {2, 4, 0.5f, false},
       {{0, 1, 1, 0}, {0, 1, 0.75f, 0.25f}, {0, 1, 0.25f, 0.75f}, {1, 1, 0.75f, 0.25f}}},
      {"as many", {3, 3, 1, false}, {{0, 1, 1, 0}, {1, 2, 1, 0}, {2, 2, 1, 0}}},
      {"corners on corners", {3, 2, 2, true}, {{0, 1, 1, 0}, {2, 2, 1, 0}}},
      {"one of many, by corners", {5, 1, 0, true}, {{0, 1, 1, 0}}},
      {"many of one", {1, 3, 1.0f / 3, false}, {{0, 0, 1, 0}, {0, 0, 1, 0}, {0, 0, 2.0f / 3, 1.0f / 3}}},
      {"a step that leads beyond the last",
       {2, 3, 2, false},
       {{0, 1, 0.5f, 0.5f}, {1, 1, 0, 1}, {1, 1, 0, 1}}},
      {"a step beyond every integer", {2, 2, 3e38f, true}, {{0, 1, 1, 0}, {1, 1, 0, 1}}},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    std::vector<LinearTap> taps(static_cast<std::size_t>(c.axis.out));
    linear_taps(c.axis, taps.data());
    ASSERT_EQ(taps.size(), c.taps.size());
    for (std::size_t i = 0; i < taps.size(); ++i) {
      EXPECT_EQ(taps[i].low, c.taps[i].low) << i;
      EXPECT_EQ(taps[i].high, c.taps[i].high) << i;
      EXPECT_FLOAT_EQ(taps[i].low_weight, c.taps[i].low_weight) << i;
      EXPECT_FLOAT_EQ(taps[i].high_weight, c.taps[i].high_weight) << i;
    }
  }
}

TEST(Bilinear, MixesAlongTheColumnsFirstAndRoundsEachProduct) {
  const LinearTap rows[] = {{0, 1, 0.9f, 0.1f}}, columns[] = {{0, 1, 0.3f, 0.7f}, {1, 1, 1, 0}};
  const float x[] = {9, 9, 9, 9, 0.1f, 0.2f, 0.3f, 0.7f};  // the second plane is asked for
  Guarded<float> y(4);
  bilinear({x, y.data(), 2, 2, 1, 2, rows, columns}, 1, 2);
  const auto mixed = [](float low, float high, float low_weight, float high_weight) {
    const volatile float first = low * low_weight, second = high * high_weight;
    return first + second;
  };
  const float top = mixed(0.1f, 0.2f, 0.3f, 0.7f), bottom = mixed(0.3f, 0.7f, 0.3f, 0.7f);
  EXPECT_EQ(bits(y.values()[2]), bits(mixed(top, bottom, 0.9f, 0.1f)));
  EXPECT_EQ(bits(y.values()[3]), bits(mixed(mixed(0.2f, 0.2f, 1, 0), mixed(0.7f, 0.7f, 1, 0), 0.9f, 0.1f)));
  EXPECT_TRUE(y.untouched_outside(2, 4));
}

}  // namespace
}  // namespace samebits::kernels
