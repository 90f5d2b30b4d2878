// kernels/matmul/cuda/float_gemm.cu and kernels/conv/cuda/float_conv2d.cu on the emulator: the chain of the
// contract for every size, whatever stands in it.
#include "kernels/matmul/cuda/float_gemm.cu"
#include "kernels/conv/cuda/float_conv2d.cu"

#include <limits>

#include "tests/cuda_kernels/conv/conv_cases.h"
#include "tests/cuda_kernels/device_cases.h"
#include "tests/float_oracle.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Numbers, and now and then what a chain must not lose: zeros of both signs, denormals whose products
/// vanish, infinities and NaN.
std::vector<float> special_floats(Random& random, std::int64_t n) {
  std::vector<float> values = random_floats(random, n, 2.0f);
  constexpr float kSpecial[] = {0.0f,      -0.0f,     1e-30f,     -1e-30f,
                                0x1p-149f, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  for (float& value : values)
    if (random() % 64 == 0) value = kSpecial[random() % std::size(kSpecial)];
  return values;
}

struct Product {
  std::int64_t m, n, k;
};

/// `bias` and `channel_scale`: a value a channel, or empty.
void expect_linear(const Product& p, const std::vector<float>& x, const std::vector<float>& weight,
                   const std::vector<float>& bias, const std::vector<float>& channel_scale = {},
                   std::size_t offset = 0) {
  SCOPED_TRACE(testing::Message() << p.m << " x " << p.n << " x " << p.k);
  DeviceArray<float> device_x("x", x, offset), device_weight("weight", weight, offset),
      device_bias("bias", bias, offset), factors("channel_scale", channel_scale, offset);
  auto y = DeviceArray<float>::uninitialised("y", p.m * p.n, offset);
  const FloatLinearArgs args{.x = device_x.data(),
                             .weight = device_weight.data(),
                             .bias = bias.empty() ? nullptr : device_bias.data(),
                             .channel_scale = channel_scale.empty() ? nullptr : factors.data(),
                             .y = y.data(),
                             .m = p.m,
                             .n = p.n,
                             .k = p.k};
  ASSERT_EQ(launch_float_linear(args, kStream), nullptr);
  EXPECT_EQ(first_difference(y, oracle::float_linear(x, weight, p.n, p.k, bias, channel_scale)), "");
}

TEST(CudaFloatGemm, GivesTheBitsOfTheContractForSizesAroundTilesAndSteps) {
  Random random(1);
  for (const Product& p : {Product{1, 1, 1}, Product{3, 5, 7}, Product{64, 64, 16}, Product{65, 3, 17},
                           Product{5, 66, 31}, Product{70, 67, 33}, Product{2, 130, 100}})
    for (const std::size_t offset : {0, 1}) {
      const std::vector<float> x = special_floats(random, p.m * p.k),
                               weight = special_floats(random, p.n * p.k);
      const std::vector<float> bias = random_floats(random, p.n, 1.0f);
      for (const auto& channel_scale : {std::vector<float>(), random_channel_scales(random, p.n)}) {
        expect_linear(p, x, weight, bias, channel_scale, offset);
        expect_linear(p, x, weight, {}, channel_scale, offset);
      }
    }
}

TEST(CudaFloatGemm, KeepsAMinusZeroThatOnlyUnderflowLeaves) {
  // The product underflows to -0, and a padded step would add fma(0, 0, -0) = +0.
  for (const std::int64_t k : {1, 3, 16, 17}) {
    std::vector<float> x(k, 1e-30f), weight(k, -1e-30f);
    ASSERT_TRUE(std::signbit(oracle::float_linear(x, weight, 1, k, {})[0]));
    expect_linear({1, 1, k}, x, weight, {});
  }
}

TEST(CudaFloatGemm, AnotherOrderOrASecondRoundingWouldShowInTheseTests) {
  Random random(2);
  const Product p{4, 4, 300};
  const std::vector<float> x = random_floats(random, p.m * p.k, 1.0f),
                           weight = random_floats(random, p.n * p.k, 1.0f);
  std::vector<float> backwards, rounded;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      float back = 0, twice = 0;
      for (std::int64_t k = p.k; k-- > 0;) back = oracle::fma(x[i * p.k + k], weight[j * p.k + k], back);
      for (std::int64_t k = 0; k < p.k; ++k)
        twice = oracle::add(twice, oracle::multiply(x[i * p.k + k], weight[j * p.k + k]));
      backwards.push_back(back), rounded.push_back(twice);
    }
  const std::vector<float> expected = oracle::float_linear(x, weight, p.n, p.k, {});
  EXPECT_NE(expected, backwards);
  EXPECT_NE(expected, rounded);
  for_each_seed(3, [&] { expect_linear(p, x, weight, {}); });
}

void expect_conv(Random& random, const ConvCase& c, std::int64_t images) {
  SCOPED_TRACE(c.why);
  const Conv2dShape& s = c.shape;
  const std::vector<float> x = special_floats(random, images * s.in_channels * s.height * s.width);
  const std::vector<float> weight = special_floats(random, s.out_channels * s.depth());
  for (const bool has_bias : {false, true}) {
    const std::vector<float> bias = random_floats(random, has_bias ? s.out_channels : 0, 1.0f);
    const std::vector<float> channel_scale =
        has_bias ? random_channel_scales(random, s.out_channels) : std::vector<float>();
    DeviceArray<float> device_x("x", x), device_weight("weight", weight, 1), device_bias("bias", bias),
        factors("channel_scale", channel_scale);
    auto y = DeviceArray<float>::uninitialised("y", images * s.out_channels * s.out_height() * s.out_width());
    ASSERT_EQ(
        launch_float_conv2d({device_x.data(), device_weight.data(), has_bias ? device_bias.data() : nullptr,
                             y.data(), has_bias ? factors.data() : nullptr},
                            s, images, kStream),
        nullptr);
    EXPECT_EQ(first_difference(y, oracle::float_conv2d(to_oracle(s), x, weight, bias, channel_scale)), "");
  }
}

TEST(CudaFloatConv2d, GivesTheBitsOfTheContractForEveryWindowAndGroup) {
  Random random(3);
  for (const ConvCase& c : kConvCases) expect_conv(random, c, 2);
  for (const ConvCase& c : kDepthwiseCases) expect_conv(random, c, 1);
}

TEST(CudaFloatGemm, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  const Conv2dShape shape{1, 1, 1, 1, 1, 1}, none{1, 1, 1, 0, 1, 1};
  EXPECT_EQ(launch_float_linear({.m = 0, .n = 3, .k = 2}, kStream), nullptr);
  EXPECT_EQ(launch_float_linear({.m = 3, .n = 0, .k = 2}, kStream), nullptr);
  EXPECT_EQ(launch_float_conv2d({}, shape, 0, kStream), nullptr);
  EXPECT_EQ(launch_float_conv2d({}, none, 1, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_float_linear({.m = 1, .n = 1, .k = 1}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_float_conv2d({}, shape, 1, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
