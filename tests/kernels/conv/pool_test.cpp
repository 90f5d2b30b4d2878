// kernels/conv/pool.h: edges that LibTorch's kernels decide, and that max_pool.h gives the same where it
// reaches. tests/runtime compares every window with the oracle.
#include "kernels/conv/pool.h"

#include <cmath>
#include <limits>

#include "kernels/conv/max_pool.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

using Pool = void(const PoolShape&, const float*, float*, std::int64_t, std::int64_t);

void mean(const PoolShape& shape, const float* x, float* y, std::int64_t begin, std::int64_t end) {
  avg_pool(shape, AvgPoolCount::kWithPadding, x, y, begin, end);
}
void mean_of_elements(const PoolShape& shape, const float* x, float* y, std::int64_t begin,
                      std::int64_t end) {
  avg_pool(shape, AvgPoolCount::kWithoutPadding, x, y, begin, end);
}

struct Case {
  const char* why;
  Pool* pool;
  PoolShape shape;
  std::vector<float> x, y;
};

TEST(Pool, DecidesEdgesAsLibTorchDoes) {
  const Case kCases[] = {
      {"NaN wins, from any place",
       max_pool_any,
       {.in = {1, 4}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}},
       {1, kNaN, kNaN, 9},
       {kNaN, kNaN}},
      {"the first of two zeros",
       max_pool_any,
       {.in = {1, 4}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}},
       {-0.0f, 0.0f, 0.0f, -0.0f},
       {-0.0f, 0.0f}},
      {"padding is -inf, not 0",
       max_pool_any,
       {.in = {1, 2}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}},
       {-3, -2},
       {-3, -2}},
      {"-inf alone stays",
       max_pool_any,
       {.in = {1, 2}, .out = {1, 1}, .kernel = {1, 2}},
       {-kInf, -kInf},
       {-kInf}},
      {"dilation leaves elements out",
       max_pool_any,
       {.in = {1, 5}, .out = {1, 1}, .kernel = {1, 3}, .dilation = {1, 2}},
       {1, 9, 2, 9, 3},
       {3}},
      {"dilation steps over padding in whole steps",
       max_pool_any,
       {.in = {1, 4},
        .out = {1, 2},
        .kernel = {1, 2},
        .stride = {1, 3},
        .padding = {0, 1},
        .dilation = {1, 2}},
       {9, 2, 9, 4},
       {2, 9}},
      {"a last window that is cut off, as ceil_mode makes it",
       max_pool_any,
       {.in = {1, 3}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}},
       {5, 4, 3},
       {5, 3}},
      {"a plane after another",
       max_pool_any,
       {.in = {1, 2}, .out = {1, 1}, .kernel = {1, 2}},
       {1, 2, 4, 3},
       {2, 4}},
      {"elements are added row by row",
       mean,
       {.in = {2, 2}, .out = {1, 1}, .kernel = {2, 2}},
       {1e8f, 1, 1, -1e8f},
       {0}},
      {"padding counts",
       mean,
       {.in = {1, 2}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}},
       {3, 5},
       {1.5f, 2.5f}},
      {"padding does not count",
       mean_of_elements,
       {.in = {1, 2}, .out = {1, 2}, .kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}},
       {3, 5},
       {3, 5}},
      {"a last window counts no place behind the padding",
       mean,
       {.in = {1, 4}, .out = {1, 3}, .kernel = {1, 3}, .stride = {1, 2}, .padding = {0, 1}},
       {6, 6, 9, 6},
       {4, 7, 3}},
      {"a last window counts what it sees",
       mean_of_elements,
       {.in = {1, 4}, .out = {1, 2}, .kernel = {1, 3}, .stride = {1, 3}},
       {6, 6, 9, 6},
       {7, 6}},
      {"the divisor is the window, not its reciprocal",
       mean,
       {.in = {1, 3}, .out = {1, 1}, .kernel = {1, 3}},
       {1, 2, 2},
       {5.0f / 3.0f}},
      {"a mean that vanishes below 0 is +0",
       mean,
       {.in = {1, 4}, .out = {1, 1}, .kernel = {1, 4}},
       {-1e-45f, 0, 0, 0},
       {0.0f}},
      {"zeros below 0 give +0", mean, {.in = {1, 1}, .out = {1, 1}, .kernel = {1, 1}}, {-0.0f}, {0.0f}},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    Guarded<float> y(std::ssize(c.y));
    c.pool(c.shape, c.x.data(), y.data(), 0, std::ssize(c.x) / (c.shape.in[0] * c.shape.in[1]));
    EXPECT_EQ(first_difference(y.values(), c.y), "");
  }
}

TEST(Pool, AWindowOfCodesThatSeesNoElementIsTheLowestCode) {
  const PoolShape shape{.in = {1, 1}, .out = {1, 1}, .kernel = {1, 2}, .padding = {0, 1}, .dilation = {1, 3}};
  const std::int8_t x[] = {5};
  std::int8_t y[] = {0};
  max_pool_any_codes(shape, -100, x, y, 0, 1);
  EXPECT_EQ(int{y[0]}, -100);
}

TEST(Pool, TheVectorizedMaxPoolGivesTheSameBitsWhereItReaches) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const std::int64_t kernel[] = {random_int(random, 1, 4), random_int(random, 1, 5)};
    const std::int64_t padding[] = {random_int(random, 0, kernel[0] / 2),
                                    random_int(random, 0, kernel[1] / 2)};
    const std::int64_t stride[] = {random_int(random, 1, 3), random_int(random, 1, 3)};
    const std::int64_t height = random_int(random, 4, 20), width = random_int(random, 5, 40), planes = 3;
    const MaxPoolShape fast{height,    width,     kernel[0],  kernel[1],
                            stride[0], stride[1], padding[0], padding[1]};
    const PoolShape any{.in = {height, width},
                        .out = {fast.out_height(), fast.out_width()},
                        .kernel = {kernel[0], kernel[1]},
                        .stride = {stride[0], stride[1]},
                        .padding = {padding[0], padding[1]}};
    std::vector<float> x = random_floats(random, planes * height * width, 1.0f);
    for (std::size_t i = 0; i < x.size(); i += 11) x[i] = i % 2 == 0 ? kNaN : -0.0f;
    std::vector<float> expected(static_cast<std::size_t>(planes * fast.out_size())), got(expected.size());
    max_pool(fast, x.data(), expected.data(), nullptr, 0, planes);
    max_pool_any(any, x.data(), got.data(), 0, planes);
    EXPECT_EQ(first_difference(got, expected), "");
    const std::vector<std::int8_t> codes = random_codes(random, planes * height * width);
    std::vector<std::int8_t> expected_codes(expected.size()), got_codes(expected.size());
    max_pool_codes(fast, codes.data(), expected_codes.data(), 0, planes);
    max_pool_any_codes(any, -128, codes.data(), got_codes.data(), 0, planes);
    EXPECT_EQ(first_difference(got_codes, expected_codes), "");
  }
}

}  // namespace
}  // namespace samebits::kernels
