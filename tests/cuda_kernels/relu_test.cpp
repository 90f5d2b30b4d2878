// kernels/float/cuda/relu.cu on the emulator: the bits of a plain loop and of the CPU, zeros and NaNs among
// them.
#include "kernels/float/cuda/relu.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct ReluExpected {
  std::vector<float> y;
  std::vector<std::uint8_t> clip_mask;

  /// From the sign and the exponent of each value, not from a comparison of floats.
  explicit ReluExpected(const std::vector<float>& x) : y(x), clip_mask((x.size() + 7) / 8) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::uint32_t magnitude = bits(x[i]) & 0x7FFFFFFFu;
      const bool is_nan = magnitude > 0x7F800000u, is_zero = magnitude == 0;
      const bool is_negative = !is_nan && !is_zero && bits(x[i]) != magnitude;
      if (is_negative) y[i] = 0.0f;
      if (is_negative || is_zero) clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    }
  }
};

TEST(CudaRelu, GivesTheBitsOfTheContractAndOfTheCpuAtEveryCountAndPlacement) {
  const std::vector<float> special = special_values();
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    std::vector<float> values = random_floats(random, n, 1.0f);
    for (std::int64_t i = 0; i < n; i += 2) values[i] = special[random() % special.size()];
    const ReluExpected expected(values);
    std::vector<float> cpu_y(n);
    std::vector<std::uint8_t> cpu_mask((n + 7) / 8);
    kernels::relu({values.data(), cpu_y.data(), cpu_mask.data()}, 0, n);
    EXPECT_EQ(kernels::first_difference(cpu_y, expected.y), "");
    EXPECT_EQ(kernels::first_difference(cpu_mask, expected.clip_mask), "");
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      for_each_seed(2, [&] {
        DeviceArray<float> x("x", values, offsets.x);
        auto y = DeviceArray<float>::uninitialised("y", n, offsets.y);
        auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
        ASSERT_EQ(launch_relu({x.data(), y.data(), clip_mask.data()}, n, kStream), nullptr);
        EXPECT_EQ(first_difference(y, expected.y), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      });
    }
  }
}

TEST(CudaRelu, MayWriteOverItsInputOnAnyNumberOfBlocks) {
  Random random(2);
  const std::vector<float> values = random_floats(random, 3001, 1.0f);
  const ReluExpected expected(values);
  for (const unsigned blocks : {1u, 2u, 5u}) {
    for_each_seed(3, [&] {
      DeviceArray<float> x("x", values);
      auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", expected.clip_mask.size());
      emulate(blocks, kThreads, relu<float>, ReluArgs{x.data(), x.data(), clip_mask.data()}, 3001);
      EXPECT_EQ(first_difference(x, expected.y), "");
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    });
  }
}

TEST(CudaRelu, TakesEveryPatternOfThe16BitTypes) {
  std::vector<std::uint16_t> patterns(0x10000);
  for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i);
  for (const FloatType type : k16BitTypes) {
    const ReluExpected reals(reals_of(patterns, type));
    std::vector<std::uint16_t> expected = patterns;
    for (std::size_t i = 0; i < patterns.size(); ++i)
      if (i >= 0x8000 && reals.clip_mask[i / 8] >> i % 8 & 1 && i != 0x8000) expected[i] = 0;
    DeviceArray<std::uint16_t> x("x", patterns);
    auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", patterns.size() / 8);
    launch_relu({x.data(), x.data(), clip_mask.data(), type}, 0x10000, kStream);
    EXPECT_EQ(first_difference(x, expected), "");
    EXPECT_EQ(first_difference(clip_mask, reals.clip_mask), "");
  }
}

TEST(CudaRelu, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  EXPECT_EQ(launch_relu({}, 0, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_relu({}, 1, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
