// kernels/conv/cuda/max_pool.cu on the emulator: chosen elements, their places and the gradient's one order,
// by the definition written out.
#include "kernels/conv/cuda/max_pool.cu"

#include <limits>

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels::cuda {
namespace {

struct Pooled {
  std::vector<float> y;
  std::vector<std::uint8_t> argmax;
  std::vector<float> grad_x;  // of grad_y, each window's gradient where its element is
};

/// Window by window, in row-major order.
Pooled pooled(const MaxPoolShape& s, const std::vector<float>& x, const std::vector<float>& grad_y,
              std::int64_t planes) {
  Pooled result{.y = {}, .argmax = {}, .grad_x = std::vector<float>(x.size(), 0.0f)};
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for (std::int64_t top = -s.padding_height; top + s.kernel_height <= s.height + s.padding_height;
         top += s.stride_height)
      for (std::int64_t left = -s.padding_width; left + s.kernel_width <= s.width + s.padding_width;
           left += s.stride_width) {
        std::int64_t chosen = -1;
        std::uint8_t place = 0;
        for (std::int64_t p = 0; p < s.kernel_height * s.kernel_width; ++p) {
          const std::int64_t row = top + p / s.kernel_width, column = left + p % s.kernel_width;
          if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
          const std::int64_t i = (plane * s.height + row) * s.width + column;
          if (chosen >= 0 && !(x[i] > x[chosen]) && x[i] == x[i]) continue;
          chosen = i;
          place = static_cast<std::uint8_t>(p);
        }
        result.grad_x[chosen] = oracle::add(result.grad_x[chosen], grad_y[result.y.size()]);
        result.y.push_back(x[chosen]);
        result.argmax.push_back(place);
      }
  return result;
}

/// Few different values, so that windows are full of ties, and some that are not finite.
std::vector<float> elements(Random& random, std::int64_t n) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {kNaN, -kNaN, kInfinity, -kInfinity, -0.0f, 0.0f};
  std::vector<float> values(n);
  for (float& value : values)
    value = random() % 8 == 0 ? kSpecial[random() % std::size(kSpecial)]
                              : static_cast<float>(random_int(random, -4, 4));
  return values;
}

void expect_pool(Random& random, const MaxPoolShape& s, std::int64_t planes, std::size_t offset) {
  SCOPED_TRACE(testing::Message() << s.height << " x " << s.width << ", kernel " << s.kernel_height << " x "
                                  << s.kernel_width << ", stride " << s.stride_height << " x "
                                  << s.stride_width << ", padding " << s.padding_height << " x "
                                  << s.padding_width);
  const std::int64_t outputs = planes * s.out_size();
  std::vector<float> grad_y = random_floats(random, outputs, 1.0f);
  grad_y[0] = -0.0f;
  const std::vector<float> values = elements(random, planes * s.in_size());
  const Pooled expected = pooled(s, values, grad_y, planes);
  DeviceArray<float> x("x", values, offset), grad("grad_y", grad_y, offset);
  auto y = DeviceArray<float>::uninitialised("y", outputs, offset);
  auto argmax = DeviceArray<std::uint8_t>::uninitialised("argmax", outputs, offset);
  auto grad_x = DeviceArray<float>::uninitialised("grad_x", values.size(), offset);
  ASSERT_EQ(launch_max_pool(s, planes, x.data(), y.data(), argmax.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(y, expected.y), "");
  EXPECT_EQ(first_difference(argmax, expected.argmax), "");
  ASSERT_EQ(launch_max_pool_backward(s, planes, grad.data(), argmax.data(), grad_x.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(grad_x, expected.grad_x), "");
  auto alone = DeviceArray<float>::uninitialised("y alone", outputs);
  ASSERT_EQ(launch_max_pool(s, planes, x.data(), alone.data(), nullptr, kStream), nullptr);
  EXPECT_EQ(first_difference(alone, expected.y), "");
}

TEST(CudaMaxPool, HalvesPlanesOfEverySize) {
  Random random(1);
  for (std::int64_t width = 2; width <= 34; width += 3)
    expect_pool(random, {2 + width % 5, width, 2, 2, 2, 2}, 3, 0);
}

TEST(CudaMaxPool, TakesAnyWindowStrideAndPadding) {
  Random random(2);
  for (int round = 0; round < 80; ++round) {
    MaxPoolShape s{};
    s.kernel_height = random_int(random, 1, 5), s.kernel_width = random_int(random, 1, 5);
    s.stride_height = random_int(random, 1, 4), s.stride_width = random_int(random, 1, 4);
    s.padding_height = random_int(random, 0, s.kernel_height / 2);
    s.padding_width = random_int(random, 0, s.kernel_width / 2);
    s.height = s.kernel_height + random_int(random, 0, 9),
    s.width = s.kernel_width + random_int(random, 0, 9);
    expect_pool(random, s, random_int(random, 1, 3), round % 4);
  }
}

TEST(CudaMaxPool, DoesNotDependOnTheOrderOfThreads) {
  for_each_seed(3, [&] {
    Random random(3);
    expect_pool(random, {21, 23, 3, 3, 2, 2, 1, 1}, 4, 0);
    expect_pool(random, {15, 17, 15, 17, 1, 1}, 2, 0);
  });
}

TEST(CudaMaxPool, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  const MaxPoolShape shape{2, 2, 2, 2, 2, 2};
  EXPECT_EQ(launch_max_pool(shape, 0, nullptr, nullptr, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_max_pool_backward(shape, 0, nullptr, nullptr, nullptr, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_max_pool(shape, 1, nullptr, nullptr, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_max_pool_backward(shape, 1, nullptr, nullptr, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
