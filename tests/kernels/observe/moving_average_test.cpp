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

TEST(MovingAverageUpdate, FollowsRandomBatchesWithTheOraclesBits) {
  Random random(1);
  for (int run = 0; run < 200; ++run) {
    const float c = std::ldexp(random_floats(random, 1, 0.4f)[0] + 0.5f, -run % 6);
    const bool symmetric = run % 2 == 0;
    const int qmin = run % 3 == 0 ? -8 : -128, qmax = -qmin - 1;
    MovingAverage average;
    float min = 0.0f, max = 0.0f;
    for (int batch = 0; batch < 20; ++batch) {
      const std::vector<float> ends = random_floats(random, 2, std::ldexp(1.0f, run % 40 - 20));
      const float low = std::min(ends[0], ends[1]), high = std::max(ends[0], ends[1]);
      min = batch == 0 ? low : oracle::add(min, oracle::multiply(c, oracle::add(low, -min)));
      max = batch == 0 ? high : oracle::add(max, oracle::multiply(c, oracle::add(high, -max)));
      const AffineGrid grid = moving_average_update(average, low, high, c, qmin, qmax, symmetric);
      const oracle::Grid expected = oracle::grid_of_range(min, max, qmin, qmax, symmetric);
      ASSERT_EQ(bits(average.min), bits(min));
      ASSERT_EQ(bits(average.max), bits(max));
      ASSERT_EQ(average.batches, batch + 1);
      ASSERT_EQ(bits(grid.scale), bits(expected.scale));
      ASSERT_EQ(grid.zero_point, expected.zero_point);
    }
  }
}

TEST(MovingAverageUpdate, CopiesTheFirstBatchEvenWhenItsRangeIsZero) {
  MovingAverage average;
  EXPECT_EQ(moving_average_update(average, 0.0f, 0.0f, 0.1f, -128, 127, false),
            (AffineGrid{1.0f, 0, -128, 127}));
  EXPECT_EQ(average.batches, 1);
  moving_average_update(average, -1.0f, 2.0f, 0.5f, -128, 127, false);
  EXPECT_EQ(average.min, -0.5f);
  EXPECT_EQ(average.max, 1.0f);
}

TEST(MovingAverageUpdate, LeavesTheAverageAloneWhenTheBatchIsEmpty) {
  const float infinity = std::numeric_limits<float>::infinity();
  MovingAverage average;
  EXPECT_EQ(moving_average_update(average, infinity, -infinity, 0.1f, -128, 127, true).scale, 1.0f);
  EXPECT_EQ(average.batches, 0);
  const AffineGrid grid = moving_average_update(average, -127.0f, 127.0f, 0.1f, -127, 127, true);
  EXPECT_EQ(moving_average_update(average, infinity, -infinity, 0.1f, -127, 127, true), grid);
  EXPECT_EQ(average.batches, 1);
}

}  // namespace
}  // namespace samebits::kernels
