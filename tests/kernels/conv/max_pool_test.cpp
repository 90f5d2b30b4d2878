// kernels/conv/max_pool.h: chosen elements and their places against plain index arithmetic, NaN and ties as
// torch has them, the gradient in its one order, and what is written where.
#include "kernels/conv/max_pool.h"

#include <limits>
#include <set>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class MaxPool : public KernelTest {};

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Pooled {
  std::vector<float> y;
  std::vector<std::uint8_t> argmax;
};

/// The sizes of an output counted, the windows element by element.
std::int64_t count_outputs(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                           std::int64_t padding) {
  std::int64_t count = 0;
  for (std::int64_t first = -padding; first + kernel <= size + padding; first += stride) ++count;
  return count;
}

Pooled expected_pool(const MaxPoolShape& shape, const std::vector<float>& x, std::int64_t planes) {
  Pooled result;
  const std::int64_t out_height =
      count_outputs(shape.height, shape.kernel_height, shape.stride_height, shape.padding_height);
  const std::int64_t out_width =
      count_outputs(shape.width, shape.kernel_width, shape.stride_width, shape.padding_width);
  for (std::int64_t i = 0; i < planes * out_height * out_width; ++i) {
    const std::int64_t plane = i / (out_height * out_width), row = i / out_width % out_height,
                       column = i % out_width;
    int place = -1;
    float best = 0;
    for (int p = 0; p < shape.kernel_height * shape.kernel_width; ++p) {
      const std::int64_t r = row * shape.stride_height - shape.padding_height + p / shape.kernel_width;
      const std::int64_t c = column * shape.stride_width - shape.padding_width + p % shape.kernel_width;
      if (r < 0 || r >= shape.height || c < 0 || c >= shape.width) continue;
      const float element = x[(plane * shape.height + r) * shape.width + c];
      if (place >= 0 && !(element > best) && element == element) continue;
      best = element;
      place = p;
    }
    result.y.push_back(best);
    result.argmax.push_back(static_cast<std::uint8_t>(place));
  }
  return result;
}

std::vector<float> expected_gradient(const MaxPoolShape& shape, const std::vector<float>& grad_y,
                                     const std::vector<std::uint8_t>& argmax, std::int64_t planes) {
  std::vector<float> grad_x(planes * shape.height * shape.width, 0.0f);
  const std::int64_t out_width = shape.out_width(), out_size = shape.out_height() * out_width;
  for (std::int64_t i = 0; i < std::ssize(grad_y); ++i) {
    const std::int64_t row = i % out_size / out_width, column = i % out_width;
    const std::int64_t r = row * shape.stride_height - shape.padding_height + argmax[i] / shape.kernel_width;
    const std::int64_t c = column * shape.stride_width - shape.padding_width + argmax[i] % shape.kernel_width;
    float& to = grad_x[(i / out_size * shape.height + r) * shape.width + c];
    to = oracle::add(to, grad_y[i]);
  }
  return grad_x;
}

/// Few different values, so that windows are full of ties, and some that are not finite.
std::vector<float> random_elements(Random& random, std::int64_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random_int(random, -4, 4));
  const float special[] = {kNaN, -kNaN, kInfinity, -kInfinity, -0.0f, 0.0f};
  for (float& value : values)
    if (random() % 8 == 0) value = special[random() % std::size(special)];
  return values;
}

void expect_float(Random& random, const MaxPoolShape& shape, std::int64_t planes) {
  const Unaligned<float> x(random_elements(random, planes * shape.in_size()), 1);
  const Pooled expected = expected_pool(shape, {x.data(), x.data() + planes * shape.in_size()}, planes);
  const std::vector<float> grad_y = random_floats(random, std::ssize(expected.y), 1.0f);
  const std::vector<float> expected_grad = expected_gradient(shape, grad_y, expected.argmax, planes);
  for (const auto& entry : under_test(max_pool)) {
    Guarded<float> y(std::ssize(expected.y), 1), y_alone(std::ssize(expected.y));
    Guarded<std::uint8_t> argmax(std::ssize(expected.y), 3);
    for (const auto& [begin, end] : random_pieces(random, planes, 1)) {
      entry.run(shape, x.data(), y.data(), argmax.data(), begin, end);
      entry.run(shape, x.data(), y_alone.data(), nullptr, begin, end);
    }
    ASSERT_EQ(first_difference(y.values(), expected.y), "") << entry.name;
    ASSERT_EQ(first_difference(argmax.values(), expected.argmax), "") << entry.name;
    ASSERT_EQ(first_difference(y_alone.values(), expected.y), "") << entry.name;
    ASSERT_TRUE(y.guards_untouched() && y_alone.guards_untouched() && argmax.guards_untouched())
        << entry.name;
  }
  for (const auto& entry : under_test(max_pool_backward)) {
    Guarded<float> grad_x(planes * shape.in_size(), 1);
    for (const auto& [begin, end] : random_pieces(random, planes, 1))
      entry.run(shape, grad_y.data(), expected.argmax.data(), grad_x.data(), begin, end);
    ASSERT_EQ(first_difference(grad_x.values(), expected_grad), "") << entry.name << ", gradient";
    ASSERT_TRUE(grad_x.guards_untouched()) << entry.name;
  }
}

void expect_codes(Random& random, const MaxPoolShape& shape, std::int64_t planes) {
  const Unaligned<std::int8_t> x(random_codes(random, planes * shape.in_size()), 1);
  const std::vector<float> reals(x.data(), x.data() + planes * shape.in_size());
  const std::vector<float> best = expected_pool(shape, reals, planes).y;
  const std::vector<std::int8_t> expected(best.begin(), best.end());
  for (const auto& entry : under_test(max_pool_codes)) {
    Guarded<std::int8_t> y(std::ssize(expected), 1);
    for (const auto& [begin, end] : random_pieces(random, planes, 1))
      entry.run(shape, x.data(), y.data(), begin, end);
    ASSERT_EQ(first_difference(y.values(), expected), "") << entry.name;
    ASSERT_TRUE(y.guards_untouched()) << entry.name;
  }
}

void expect_pool(Random& random, const MaxPoolShape& shape, std::int64_t planes) {
  SCOPED_TRACE(testing::Message() << shape.height << " x " << shape.width << ", kernel "
                                  << shape.kernel_height << " x " << shape.kernel_width << ", stride "
                                  << shape.stride_height << " x " << shape.stride_width << ", padding "
                                  << shape.padding_height << " x " << shape.padding_width);
  expect_float(random, shape, planes);
  expect_codes(random, shape, planes);
}

TEST_F(MaxPool, HalvesPlanesOfEverySize) {
  Random random(1);
  for (std::int64_t width = 2; width <= 70; ++width)
    expect_pool(random, {2 + width % 5, width, 2, 2, 2, 2}, 3);
}

TEST_F(MaxPool, TakesAnyWindowStrideAndPadding) {
  Random random(2);
  for (int round = 0; round < 600; ++round) {
    MaxPoolShape shape{};
    shape.kernel_height = random_int(random, 1, 5);
    shape.kernel_width = random_int(random, 1, 5);
    shape.padding_height = random_int(random, 0, shape.kernel_height / 2);
    shape.padding_width = random_int(random, 0, shape.kernel_width / 2);
    shape.stride_height = random_int(random, 1, 4);
    shape.stride_width = random_int(random, 1, 3);
    shape.height =
        random_int(random, std::max<std::int64_t>(1, shape.kernel_height - 2 * shape.padding_height), 12);
    shape.width =
        random_int(random, std::max<std::int64_t>(1, shape.kernel_width - 2 * shape.padding_width), 60);
    expect_pool(random, shape, random_int(random, 1, 3));
  }
}

TEST_F(MaxPool, CountsPlacesUpTo254) {
  Random random(3);
  expect_pool(random, {20, 40, 15, 17, 1, 1}, 2);
  expect_pool(random, {20, 40, 17, 15, 3, 2, 8, 7}, 2);
}

TEST_F(MaxPool, TheFirstOfEqualElementsAndTheLastNaNIsChosen) {
  struct Case {
    const char* why;
    float window[4];
    std::uint8_t place;
  };
  const Case cases[] = {
      {"the first of four", {1, 1, 1, 1}, 0},
      {"the first of the largest two", {0, 2, 2, 1}, 1},
      {"+0 is not larger than -0", {-0.0f, 0.0f, -1, 0.0f}, 0},
      {"-infinity everywhere", {-kInfinity, -kInfinity, -kInfinity, -kInfinity}, 0},
      {"NaN after infinity", {kInfinity, 1, kNaN, 2}, 2},
      {"nothing is larger than NaN", {kNaN, kInfinity, 3, 2}, 0},
      {"the last NaN", {kNaN, 5, kNaN, 7}, 2},
      {"the largest comes last", {1, 2, 3, 4}, 3},
  };
  for (const Case& c : cases) {
    for (const std::int64_t windows : {1, 4, 8, 21}) {
      std::vector<float> x;
      for (int row = 0; row < 2; ++row)
        for (std::int64_t i = 0; i < windows; ++i)
          x.insert(x.end(), {c.window[2 * row], c.window[2 * row + 1]});
      for (const auto& entry : under_test(max_pool)) {
        std::vector<float> y(windows);
        std::vector<std::uint8_t> argmax(windows);
        entry.run({2, 2 * windows, 2, 2, 2, 2}, x.data(), y.data(), argmax.data(), 0, 1);
        for (std::int64_t i = 0; i < windows; ++i) {
          EXPECT_EQ(int{argmax[i]}, int{c.place}) << entry.name << ": " << c.why << ", window " << i;
          EXPECT_EQ(bits(y[i]), bits(c.window[c.place])) << entry.name << ": " << c.why;
        }
      }
    }
  }
}

TEST_F(MaxPool, FindsTheFirstPlaceThatIsNoneOfItsWindow) {
  // Windows of 3 x 2 at every second element of planes of 4 x 3 padded by one: 2 x 2 windows.
  const MaxPoolShape shape{4, 3, 3, 2, 2, 2, 1, 1};
  ASSERT_EQ(shape.out_size(), 4);
  // Of the six places of a window, those inside of the plane.
  const std::vector<std::set<int>> inside = {{3, 5}, {2, 3, 4, 5}, {1, 3, 5}, {0, 1, 2, 3, 4, 5}};
  for (std::size_t window = 0; window < 4; ++window)
    for (int place = 0; place < 256; ++place) {
      std::vector<std::uint8_t> argmax = {3, 2, 1, 0, 3, 2, 1, 0};  // of two planes
      argmax[4 + window] = static_cast<std::uint8_t>(place);
      const std::int64_t expected =
          inside[window].contains(place) ? -1 : static_cast<std::int64_t>(4 + window);
      EXPECT_EQ(first_place_outside(shape, argmax.data(), 0, 2), expected) << window << ", " << place;
      EXPECT_EQ(first_place_outside(shape, argmax.data(), 0, 1), -1);
      EXPECT_EQ(first_place_outside(shape, argmax.data(), 1, 2), expected);
    }
}

TEST_F(MaxPool, TheDispatchedKernelsGiveTheSameBits) {
  Random random(4);
  const MaxPoolShape shape{10, 22, 3, 3, 2, 2, 1, 1};
  const std::vector<float> x = random_elements(random, 2 * shape.in_size());
  const std::vector<std::int8_t> codes = random_codes(random, 2 * shape.in_size());
  const Pooled expected = expected_pool(shape, x, 2);
  const std::vector<float> grad_y = random_floats(random, std::ssize(expected.y), 1.0f);
  std::vector<float> y(expected.y.size()), grad_x(x.size());
  std::vector<std::uint8_t> argmax(y.size());
  std::vector<std::int8_t> code_y(y.size());
  max_pool(shape, x.data(), y.data(), argmax.data(), 0, 2);
  max_pool_backward(shape, grad_y.data(), argmax.data(), grad_x.data(), 0, 2);
  max_pool_codes(shape, codes.data(), code_y.data(), 0, 2);
  EXPECT_EQ(first_difference(y, expected.y), "");
  EXPECT_EQ(first_difference(argmax, expected.argmax), "");
  EXPECT_EQ(first_difference(grad_x, expected_gradient(shape, grad_y, expected.argmax, 2)), "");
  const std::vector<float> best = expected_pool(shape, {codes.begin(), codes.end()}, 2).y;
  EXPECT_EQ(first_difference(code_y, {best.begin(), best.end()}), "");
}

}  // namespace
}  // namespace samebits::kernels
