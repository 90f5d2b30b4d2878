// kernels/observe/min_max.h: ranges by bits, wherever the extremes stand.
#include "kernels/observe/min_max.h"

#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

class MinMaxTest : public KernelTest {};

void expect_range(const MinMax& got, float min, float max, bool saw_nan) {
  EXPECT_EQ(bits(got.min), bits(min)) << got.min << ", expected " << min;
  EXPECT_EQ(bits(got.max), bits(max)) << got.max << ", expected " << max;
  EXPECT_EQ(got.saw_nan, saw_nan);
}

struct Case {
  const char* why;
  std::vector<float> x;
  float min, max;
  bool saw_nan;
};
const float kNaN = std::numeric_limits<float>::quiet_NaN();
const Case kCases[] = {
    {"nothing", {}, kInfinity, -kInfinity, false},
    {"one value is both ends", {-3.0f}, -3.0f, -3.0f, false},
    {"only NaN is as good as nothing", {kNaN}, kInfinity, -kInfinity, true},
    {"a NaN before and after a value", {kNaN, 2.0f, kNaN}, 2.0f, 2.0f, true},
    {"minus zero is zero", {-0.0f}, 0.0f, 0.0f, false},
    {"the order of zeros does not show", {0.0f, -0.0f, 0.0f}, 0.0f, 0.0f, false},
    {"infinities are values", {-kInfinity, 1.0f, kInfinity}, -kInfinity, kInfinity, false},
    {"denormals count", {-0x1p-149f, 0x1p-149f}, -0x1p-149f, 0x1p-149f, false},
    {"the ends of all floats", {kLargest, -kLargest}, -kLargest, kLargest, false},
};

TEST_F(MinMaxTest, FindsTheRangeOfHandMadeCasesHoweverOftenTheyRepeat) {
  for (const Case& c : kCases) {
    for (const int repeats : {1, 5, 16, 50}) {
      SCOPED_TRACE(testing::Message() << c.why << ", " << repeats << " times");
      std::vector<float> x;
      for (int i = 0; i < repeats; ++i) x.insert(x.end(), c.x.begin(), c.x.end());
      for (const auto& entry : under_test(min_max)) {
        SCOPED_TRACE(entry.name);
        expect_range(entry.run(x.data(), 0, std::ssize(x)), c.min, c.max, c.saw_nan);
      }
    }
  }
}

TEST_F(MinMaxTest, SeesAnExtremeAndANaNAtEveryPlace) {
  for (const std::int64_t n : {1, 7, 8, 16, 17, 33, 65}) {
    for (std::int64_t at = 0; at < n; ++at) {
      SCOPED_TRACE(testing::Message() << at << " of " << n);
      for (const auto& entry : under_test(min_max)) {
        SCOPED_TRACE(entry.name);
        std::vector<float> x(n, 1.0f);
        x[at] = 9.0f;
        expect_range(entry.run(x.data(), 0, n), n == 1 ? 9.0f : 1.0f, 9.0f, false);
        x[at] = -9.0f;
        expect_range(entry.run(x.data(), 0, n), -9.0f, n == 1 ? -9.0f : 1.0f, false);
        x[at] = nans()[at % nans().size()];
        expect_range(entry.run(x.data(), 0, n), n == 1 ? kInfinity : 1.0f, n == 1 ? -kInfinity : 1.0f, true);
      }
    }
  }
}

TEST_F(MinMaxTest, ReadsExactlyItsElementsAtAnyAlignment) {
  Random random(1);
  for (const std::int64_t offset : {0, 1, 7, 15}) {
    std::vector<float> values = random_floats(random, 70, 4.0f);
    for (std::int64_t begin = 0; begin <= 70; ++begin) {
      for (std::int64_t end = begin; end <= 70; ++end) {
        std::vector<float> x(70, nans().front());  // a NaN wherever it must not look
        std::copy(values.begin() + begin, values.begin() + end, x.begin() + begin);
        const Unaligned<float> unaligned(x, offset);
        float min = kInfinity, max = -kInfinity;
        for (std::int64_t i = begin; i < end; ++i) {
          min = std::min(min, values[i]);
          max = std::max(max, values[i]);
        }
        for (const auto& entry : under_test(min_max)) {
          SCOPED_TRACE(testing::Message() << entry.name << " [" << begin << ", " << end << ")");
          expect_range(entry.run(unaligned.data(), begin, end), min, max, false);
        }
      }
    }
  }
}

TEST_F(MinMaxTest, MergesPiecesInAnyOrderToTheSameRange) {
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<float> x = random_floats(random, 300, 1.0f);
    for (const std::int64_t i : {3, 150, 299}) x[i] = special_values()[(round + i) % special_values().size()];
    const MinMax whole = min_max(x.data(), 0, 300);
    auto pieces = random_pieces(random, 300, 1);
    std::shuffle(pieces.begin(), pieces.end(), random);
    MinMax merged;
    for (const auto& [first, last] : pieces) merged = merge(merged, min_max(x.data(), first, last));
    expect_range(merged, whole.min, whole.max, whole.saw_nan);
  }
}

}  // namespace
}  // namespace samebits::kernels
