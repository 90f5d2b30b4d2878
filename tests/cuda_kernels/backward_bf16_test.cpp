// kernels/matmul/cuda/backward_bf16.cu on the emulator: operands, sums and masks of the oracle, and the CPU's
// sums.
#include "kernels/matmul/cuda/backward_bf16.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct GradientCase {
  std::int64_t m, n;
  bool has_one_scale = false, has_scale = true;
  std::size_t offset = 0;  // of every array
};
const GradientCase kGradients[] = {{1, 1},
                                   {3, 4, true},
                                   {5, 7, false, true, 1},
                                   {64, 9},
                                   {65, 12, true},
                                   {130, 33, false, false},
                                   {70, 1027, false, true, 2},
                                   {200, 64}};

TEST(CudaBackwardBf16, RoundsTheGradientOnceForBothProductsAndSumsItsColumnsInTheContractsOrder) {
  Random random(1);
  for (const GradientCase& c : kGradients) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.n);
    std::vector<float> g = random_floats(random, c.m * c.n, 3.0f), scales;
    g[g.size() / 2] = c.m == 64 ? nans().front() : c.m == 65 ? kInfinity : 0x1.01p0f;  // the last is a tie
    for (std::int64_t i = 0; i < (c.has_one_scale ? 1 : c.n); ++i)
      scales.push_back(static_cast<float>(random_int(random, 1, 1 << 20)) * 0x1p-26f);
    const float x_scale = 0.0371f;
    std::vector<Bf16> for_grad_x, for_grad_weight;
    for (std::int64_t i = 0; i < c.m * c.n; ++i) {
      const float scale = !c.has_scale ? 1.0f : scales[c.has_one_scale ? 0 : i % c.n];
      for_grad_x.push_back(oracle::bf16_bits(oracle::multiply(g[i], scale)));
      for_grad_weight.push_back(oracle::bf16_bits(oracle::multiply(g[i], x_scale)));
    }
    const std::vector<float> block_sums = oracle::block_sums(g, c.m, c.n);
    std::vector<float> sums(c.n), of_cpu(c.n);
    for (std::int64_t block = 0; block < sum_blocks(c.m); ++block)
      for (std::int64_t i = 0; i < c.n; ++i) sums[i] = oracle::add(sums[i], block_sums[block * c.n + i]);
    add_block_sums(block_sums.data(), sum_blocks(c.m), c.n, of_cpu.data(), 0, c.n);
    EXPECT_EQ(kernels::first_difference(of_cpu, sums), "");

    DeviceArray<float> device_g("g", g, c.offset), weight_scale("weight_scale", scales),
        device_x_scale("x_scale", {x_scale});
    for_each_seed(2, [&] {
      auto x_operand = DeviceArray<Bf16>::uninitialised("for_grad_x", g.size(), c.offset);
      auto weight_operand = DeviceArray<Bf16>::uninitialised("for_grad_weight", g.size(), c.offset);
      auto room = DeviceArray<float>::uninitialised("block_sums", block_sums.size());
      auto device_sums = DeviceArray<float>::uninitialised("sums", c.n);
      ASSERT_EQ(launch_gradient_operands({.g = device_g.data(),
                                          .m = c.m,
                                          .n = c.n,
                                          .weight_scale = c.has_scale ? weight_scale.data() : nullptr,
                                          .has_one_scale = c.has_one_scale,
                                          .x_scale = device_x_scale.data(),
                                          .for_grad_x = x_operand.data(),
                                          .for_grad_weight = weight_operand.data(),
                                          .block_sums = room.data(),
                                          .sums = device_sums.data()},
                                         kStream),
                nullptr);
      EXPECT_EQ(first_difference(x_operand, for_grad_x), "");
      EXPECT_EQ(first_difference(weight_operand, for_grad_weight), "");
      EXPECT_EQ(first_difference_but_nans(room, block_sums), "");
      EXPECT_EQ(first_difference_but_nans(device_sums, sums), "");
    });
  }
}

TEST(CudaBackwardBf16, MakesOnlyWhatIsWantedAndSumsNoRowsToZero) {
  DeviceArray<float> g("g", {1.0f, 2.0f, 3.0f}), x_scale("x_scale", {0.5f});
  auto operand = DeviceArray<Bf16>::uninitialised("operand", 3);
  ASSERT_EQ(launch_gradient_operands({.g = g.data(), .m = 1, .n = 3, .for_grad_x = operand.data()}, kStream),
            nullptr);
  EXPECT_EQ(first_difference(operand, {0x3F80, 0x4000, 0x4040}), "");
  ASSERT_EQ(launch_gradient_operands(
                {.g = g.data(), .m = 1, .n = 3, .x_scale = x_scale.data(), .for_grad_weight = operand.data()},
                kStream),
            nullptr);
  EXPECT_EQ(first_difference(operand, {0x3F00, 0x3F80, 0x3FC0}), "");
  auto sums = DeviceArray<float>::uninitialised("sums", 3);
  ASSERT_EQ(launch_gradient_operands(
                {.g = nullptr, .m = 0, .n = 3, .block_sums = sums.data(), .sums = sums.data()}, kStream),
            nullptr);
  EXPECT_EQ(first_difference(sums, {0.0f, 0.0f, 0.0f}), "");
}

TEST(CudaBackwardBf16, CentersCodesExactlyAtEveryCountAndPlacement) {
  Random random(2);
  for (const std::int32_t zero_point : {-128, 0, 127}) {
    DeviceArray<std::int32_t> zero("zero_point", {zero_point});
    for (const std::int64_t n : kDeviceCounts) {
      for (const Offsets offsets : kOffsets) {
        const std::vector<std::int8_t> codes = random_codes(random, n);
        std::vector<Bf16> expected;
        for (const std::int8_t code : codes)
          expected.push_back(oracle::bf16_bits(static_cast<float>(code - zero_point)));
        DeviceArray<std::int8_t> device("codes", codes, offsets.x);
        auto y = DeviceArray<Bf16>::uninitialised("y", n, offsets.y);
        ASSERT_EQ(launch_codes_to_bf16(device.data(), n, zero.data(), y.data(), kStream), nullptr);
        EXPECT_EQ(first_difference(y, expected), "") << n << ", offsets " << offsets.x << ", " << offsets.y;
      }
    }
  }
}

TEST(CudaBackwardBf16, ClearsWhatWasClippedWhateverItsGradientIsAndTouchesNothingElse) {
  Random random(3);
  struct Size {
    std::int64_t rows, length;
  };
  for (const Size& size : {Size{1, 1}, {1, 7}, {3, 8}, {5, 13}, {1, 2051}, {7, 100}}) {
    const std::int64_t rows = size.rows, length = size.length;
    for (const std::size_t offset : {0u, 1u}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << length);
      std::vector<float> grad = random_floats(random, rows * length, 1.0f);
      for (std::size_t i = 0; i < grad.size(); i += 3) grad[i] = nans().back();
      const std::int64_t row_bytes = (length + 7) / 8;
      std::vector<std::uint8_t> mask(rows * row_bytes);
      for (std::size_t i = 0; i < mask.size(); ++i)
        mask[i] = i % 4 == 0 ? 0xFF : i % 4 == 1 ? 0 : static_cast<std::uint8_t>(random());
      std::vector<float> expected = grad;
      for (std::int64_t i = 0; i < rows * length; ++i) {
        const std::int64_t column = i % length;
        if ((mask[i / length * row_bytes + column / 8] >> column % 8 & 1) != 0) expected[i] = 0.0f;
      }
      for_each_seed(2, [&] {
        DeviceArray<float> device("grad", grad, offset);
        DeviceArray<std::uint8_t> clip_mask("clip_mask", mask);
        ASSERT_EQ(launch_clear_clipped(device.data(), rows, length, clip_mask.data(), kStream), nullptr);
        EXPECT_EQ(first_difference(device, expected), "");
      });
    }
  }
}

TEST(CudaBackwardBf16, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  EXPECT_EQ(launch_gradient_operands({.m = 3, .n = 0}, kStream), nullptr);
  EXPECT_EQ(launch_gradient_operands({.m = 0, .n = 3}, kStream), nullptr);
  EXPECT_EQ(launch_codes_to_bf16(nullptr, 0, nullptr, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_clear_clipped(nullptr, 0, 3, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_clear_clipped(nullptr, 3, 0, nullptr, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  float sums = 0.0f;
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_gradient_operands({.m = 1, .n = 1}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_gradient_operands({.m = 0, .n = 1, .sums = &sums}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_codes_to_bf16(nullptr, 1, nullptr, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_clear_clipped(nullptr, 1, 1, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
