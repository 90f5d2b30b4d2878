// kernels/observe/moving_average.h: three roundings a step, and the grid of the averaged range.
#include "kernels/observe/moving_average.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

struct Case {
  const char* why;
  float old, batch, c, expected;
};
const Case kCases[] = {
    {"half of the way", 1.0f, 2.0f, 0.5f, 1.5f},
    {"downwards too", 3.0f, -1.0f, 0.25f, 2.0f},
    {"no way when nothing moved", 0.1f, 0.1f, 0.01f, 0.1f},
    {"c = 1 is the batch where the difference is exact", 8.0f, 3.0f, 1.0f, 3.0f},
    {"the difference is rounded before it is scaled", 1.0f, 0x1p-25f, 1.0f, 0.0f},
};

TEST(MovingAverageStep, GoesAPartOfTheWayToTheBatch) {
  for (const Case& c : kCases)
    EXPECT_EQ(bits(moving_average_step(c.old, c.batch, c.c)), bits(c.expected)) << c.why;
}

/// A state, and what its arrays hold.
struct State {
  float min = 5.0f, max = 5.0f;
  std::int64_t batches = 0;
  float scale = 7.0f;
  std::int32_t zero_point = 7;

  bool take(float low, float high, const GridRule& rule) {
    return move_grid({&min, &max, &batches, &scale, &zero_point}, low, high, rule);
  }
  friend bool operator==(const State&, const State&) = default;
};

TEST(MoveGrid, FollowsRandomBatchesWithTheOraclesBits) {
  Random random(1);
  for (int run = 0; run < 400; ++run) {
    const bool keeps_extremes = run % 5 == 0;
    const int qmin = run % 3 == 0 ? -8 : -128;
    const GridRule rule{.averaging = std::ldexp(random_floats(random, 1, 0.4f)[0] + 0.5f, -run % 6),
                        .qmin = qmin,
                        .qmax = -qmin - 1,
                        .symmetric = run % 2 == 0,
                        .keeps_extremes = keeps_extremes};
    const auto moved = [&](float old, float end) {
      return oracle::add(old, oracle::multiply(rule.averaging, oracle::add(end, -old)));
    };
    State state;
    float min = 0.0f, max = 0.0f;
    for (int batch = 0; batch < 20; ++batch) {
      const std::vector<float> ends = random_floats(random, 2, std::ldexp(1.0f, run % 40 - 20));
      const float low = std::min(ends[0], ends[1]), high = std::max(ends[0], ends[1]);
      min = batch == 0 ? low : keeps_extremes ? std::min(min, low) : moved(min, low);
      max = batch == 0 ? high : keeps_extremes ? std::max(max, high) : moved(max, high);
      ASSERT_TRUE(state.take(low, high, rule));
      const oracle::Grid expected = oracle::grid_of_range(min, max, rule.qmin, rule.qmax, rule.symmetric);
      ASSERT_EQ(bits(state.min), bits(min));
      ASSERT_EQ(bits(state.max), bits(max));
      ASSERT_EQ(state.batches, batch + 1);
      ASSERT_EQ(bits(state.scale), bits(expected.scale));
      ASSERT_EQ(state.zero_point, expected.zero_point);
    }
  }
}

TEST(MoveGrid, CopiesTheFirstBatchEvenWhenItsRangeIsZero) {
  State state;
  EXPECT_TRUE(state.take(0.0f, 0.0f, {}));
  EXPECT_EQ(state, (State{0.0f, 0.0f, 1, 1.0f, 0}));
  state.take(-1.0f, 2.0f, {.averaging = 0.5f});
  EXPECT_EQ(state.min, -0.5f);
  EXPECT_EQ(state.max, 1.0f);
}

TEST(MoveGrid, LeavesTheStateAloneWhenTheBatchIsEmptyOrNoGridCoversIt) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const State& before : {State{}, State{-1.0f, 1.0f, 3, 0.5f, 0}}) {
    State state = before;
    EXPECT_TRUE(state.take(infinity, -infinity, {}));
    EXPECT_EQ(state, before);
    EXPECT_FALSE(state.take(-infinity, 0.0f, {}));
    EXPECT_FALSE(state.take(0.0f, infinity, {}));
    EXPECT_FALSE(state.take(0.0f, std::nextafter(kLargestEnd, infinity), {}));
    EXPECT_EQ(state, before);
    EXPECT_TRUE(state.take(-kLargestEnd, kLargestEnd, {}));
    EXPECT_TRUE(std::isfinite(state.scale));
  }
}

}  // namespace
}  // namespace samebits::kernels
