// kernels/quantize/cuda/dequantize.cu on the emulator: the bits of the oracle and of the CPU.
#include "kernels/quantize/cuda/dequantize.cu"

#include "kernels/quantize/dequantize.h"
#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

void expect_launch(const std::vector<std::int8_t>& code_values, DeviceTable& table,
                   const std::vector<float>& expected, Offsets offsets = {}) {
  const auto n = std::ssize(code_values);
  DeviceArray<std::int8_t> codes("codes", code_values, offsets.x);
  auto y = DeviceArray<float>::uninitialised("y", n, offsets.y);
  ASSERT_EQ(launch_dequantize(codes.data(), y.data(), table.table, n, FloatType::kFloat32, kStream), nullptr);
  EXPECT_EQ(first_difference(y, expected), "");
}

TEST(CudaDequantize, RoundsTheProductOfEveryCodeAndManyGridsOnce) {
  std::vector<std::int8_t> codes;
  for (int code = -128; code <= 127; ++code) codes.push_back(static_cast<std::int8_t>(code));
  for (const float scale : {0.1f, 1.0f / 3.0f, 0x1.fffffep-3f, 0x1p-126f, 0x1.8p119f}) {
    for (const int zero_point : {-128, -1, 0, 5, 127}) {
      const AffineGrid grid{scale, zero_point, -128, 127};
      std::vector<float> expected, cpu(256);
      for (const int code : codes) expected.push_back(oracle::dequantize(code, to_oracle(grid)));
      kernels::dequantize_run(codes.data(), cpu.data(), grid, 0, 256);
      EXPECT_EQ(kernels::first_difference(cpu, expected), "");
      DeviceTable table(grid, 256);
      expect_launch(codes, table, expected);
    }
  }
}

TEST(CudaDequantize, EndsAtTheLastElementOfEveryCountAndPlacement) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9};
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<std::int8_t> codes = random_codes(random, n);
    std::vector<float> expected;
    for (const int code : codes) expected.push_back(oracle::dequantize(code, to_oracle(grid)));
    DeviceTable table(grid, n);
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      for_each_seed(2, [&] { expect_launch(codes, table, expected, offsets); });
    }
  }
}

TEST(CudaDequantize, GivesEachElementTheGridOfItsChannelOrGroup) {
  Random random(2);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    const std::vector<std::int8_t> codes = random_codes(random, c.elements());
    std::vector<float> expected(codes.size()), cpu(codes.size());
    for (std::int64_t i = 0; i < c.elements(); ++i)
      expected[i] = oracle::dequantize(codes[i], to_oracle(grids.grid(c.grid_index(i))));
    kernels::dequantize_codes(codes.data(), cpu.data(), c.table(grids.scale.data(), grids.zero_point.data()),
                              0, c.elements(), FloatType::kFloat32);
    EXPECT_EQ(kernels::first_difference(cpu, expected), "");
    for_each_seed([&] { expect_launch(codes, table, expected); });
  }
}

TEST(CudaDequantize, RoundsToThe16BitTypesAsTheOracleDoes) {
  Random random(3);
  const AffineGrid grid{.scale = 0.0123f, .zero_point = 17};
  for (const FloatType type : k16BitTypes) {
    for (const std::int64_t n : kDeviceCounts) {
      const std::vector<std::int8_t> values = random_codes(random, n);
      std::vector<float> expected;
      for (const int code : values) expected.push_back(oracle::dequantize(code, to_oracle(grid)));
      DeviceTable table(grid, n);
      DeviceArray<std::int8_t> codes("codes", values);
      auto y = DeviceArray<std::uint16_t>::uninitialised("y", n, n % 4);
      launch_dequantize(codes.data(), y.data(), table.table, n, type, kStream);
      EXPECT_EQ(first_difference(y, stored_bits(expected, type)), "");
    }
  }
}

TEST(CudaDequantize, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  DeviceTable table(AffineGrid{}, 1);
  EXPECT_EQ(launch_dequantize(nullptr, nullptr, table.table, 0, FloatType::kFloat32, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_dequantize(nullptr, nullptr, table.table, 1, FloatType::kFloat16, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
