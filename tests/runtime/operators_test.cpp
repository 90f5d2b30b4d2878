// runtime/operators.h: edges that LibTorch's kernels decide. interpreter_test.cpp compares whole layers.
#include "runtime/operators.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace samebits::runtime {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

/// Bits, so that -0 differs from 0 and NaN equals itself.
std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

TEST(Relu, KeepsNaNAndNegativeZero) {
  const std::vector<float> x = {-1.0f, -0.0f, 0.0f, 2.5f, -kInf, kInf, kNaN};
  std::vector<float> y(x.size());
  relu(x.data(), y.data(), 0, std::ssize(x));
  EXPECT_EQ(bits_of(y), bits_of({0.0f, -0.0f, 0.0f, 2.5f, 0.0f, kInf, kNaN}));
}

TEST(Relu, ComputesItsRangeAlone) {
  const std::vector<float> x(5, -1.0f);
  std::vector<float> y(5, 7.0f);
  relu(x.data(), y.data(), 1, 4);
  EXPECT_EQ(y, (std::vector<float>{7, 0, 0, 0, 7}));
}

using Pool = void(const float*, float*, const PoolShape&, const Window&, std::int64_t, std::int64_t);

struct Case {
  const char* why;
  Pool* pool;
  PoolShape shape;
  Window window;
  std::vector<float> x, y;
};

TEST(Pools, DecideEdgesAsLibTorchDoes) {
  const Case kCases[] = {
      {"NaN wins, from any place",
       max_pool2d,
       {1, 4, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 2}},
       {1, kNaN, kNaN, 9},
       {kNaN, kNaN}},
      {"the first of two zeros",
       max_pool2d,
       {1, 4, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 2}},
       {-0.0f, 0.0f, 0.0f, -0.0f},
       {-0.0f, 0.0f}},
      {"padding is -inf, not 0",
       max_pool2d,
       {1, 2, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}},
       {-3, -2},
       {-3, -2}},
      {"-inf alone stays", max_pool2d, {1, 2, 1, 1}, {.kernel = {1, 2}}, {-kInf, -kInf}, {-kInf}},
      {"dilation leaves elements out",
       max_pool2d,
       {1, 5, 1, 1},
       {.kernel = {1, 3}, .dilation = {1, 2}},
       {1, 9, 2, 9, 3},
       {3}},
      {"dilation steps over padding in whole steps",
       max_pool2d,
       {1, 4, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 3}, .padding = {0, 1}, .dilation = {1, 2}},
       {9, 2, 9, 4},
       {2, 9}},
      {"a last window that is cut off, as ceil_mode makes it",
       max_pool2d,
       {1, 3, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true},
       {5, 4, 3},
       {5, 3}},
      {"a plane after another", max_pool2d, {1, 2, 1, 1}, {.kernel = {1, 2}}, {1, 2, 4, 3}, {2, 4}},
      {"elements are added row by row",
       avg_pool2d,
       {2, 2, 1, 1},
       {.kernel = {2, 2}},
       {1e8f, 1, 1, -1e8f},
       {0}},
      {"padding counts",
       avg_pool2d,
       {1, 2, 1, 2},
       {.kernel = {1, 2}, .stride = {1, 2}, .padding = {0, 1}},
       {3, 5},
       {1.5f, 2.5f}},
      {"the divisor is the window, not its reciprocal",
       avg_pool2d,
       {1, 3, 1, 1},
       {.kernel = {1, 3}},
       {1, 2, 2},
       {5.0f / 3.0f}},
      {"a mean that vanishes below 0 is +0",
       avg_pool2d,
       {1, 4, 1, 1},
       {.kernel = {1, 4}},
       {-1e-45f, 0, 0, 0},
       {0.0f}},
      {"zeros below 0 give +0", avg_pool2d, {1, 1, 1, 1}, {}, {-0.0f}, {0.0f}},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    std::vector<float> y(c.y.size());
    const std::int64_t plane = c.shape.height * c.shape.width;
    c.pool(c.x.data(), y.data(), c.shape, c.window, 0, std::ssize(c.x) / plane);
    EXPECT_EQ(bits_of(y), bits_of(c.y));
  }
}

}  // namespace
}  // namespace samebits::runtime
