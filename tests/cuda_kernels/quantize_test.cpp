// kernels/quantize/cuda/quantize.cu on the emulator: the bits of the oracle and of the CPU, with a mask and
// without.
#include "kernels/quantize/cuda/quantize.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

void expect_launch(const std::vector<float>& x_values, DeviceTable& table, const Expected& expected,
                   Offsets offsets, bool with_mask) {
  const auto n = std::ssize(x_values);
  DeviceArray<float> x("x", x_values, offsets.x);
  auto codes = DeviceArray<std::int8_t>::uninitialised("codes", n, offsets.y);
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
  DeviceArray<int> saw_nan("saw_nan", {0});
  const QuantizeArgs args{x.data(), codes.data(), with_mask ? clip_mask.data() : nullptr};
  ASSERT_EQ(launch_quantize(args, table.table, n, saw_nan.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  if (with_mask) {
    EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
  }
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
}

/// The CPU's dispatched kernel agrees with the oracle on the same input.
void expect_cpu(const std::vector<float>& x, const GridTable& table, const Expected& expected) {
  std::vector<std::int8_t> codes(x.size());
  std::vector<std::uint8_t> clip_mask((x.size() + 7) / 8);
  kernels::quantize({x.data(), codes.data(), clip_mask.data()}, table, 0, std::ssize(x));
  EXPECT_EQ(kernels::first_difference(codes, expected.codes), "");
  EXPECT_EQ(kernels::first_difference(clip_mask, expected.clip_mask), "");
}

TEST(CudaQuantize, GivesTheBitsOfTheOracleAndOfTheCpuOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    const std::vector<float> x = hard_values(c.grid);
    const Expected expected = expect_on(x, c.grid);
    expect_cpu(x,
               {&c.grid.scale, &c.grid.zero_point, c.grid.qmin, c.grid.qmax, std::ssize(x), std::ssize(x), 1},
               expected);
    DeviceTable table(c.grid, std::ssize(x));
    for_each_seed(2, [&] { expect_launch(x, table, expected, {}, true); });
  }
}

TEST(CudaQuantize, EndsAtTheLastElementOfEveryCountAndPlacement) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9, .qmin = -100, .qmax = 90};
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 16.0f);
    const Expected expected = expect_on(x, grid);
    DeviceTable table(grid, n);
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      for (const bool with_mask : {false, true}) expect_launch(x, table, expected, offsets, with_mask);
    }
  }
}

TEST(CudaQuantize, GivesEachElementTheGridOfItsChannelOrGroup) {
  Random random(2);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    x.front() = nans().back();
    const Expected expected = expect_by(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    expect_cpu(x, c.table(grids.scale.data(), grids.zero_point.data()), expected);
    for_each_seed([&] { expect_launch(x, table, expected, {}, true); });
  }
}

TEST(CudaQuantize, FoldsAReluWithItsGradientIntoTheMaskForEveryType) {
  Random random(3);
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9, .qmin = -100, .qmax = 90};
  for (const FloatType type : k16BitTypes) {
    for (const std::int64_t n : kDeviceCounts) {
      std::vector<float> values = random_floats(random, n, 16.0f);
      for (std::int64_t i = 0; i < n; i += 5)
        values[i] = special_values()[random() % special_values().size()];
      const std::vector<std::uint16_t> bits = stored_bits(values, type);
      const std::vector<float> reals = reals_of(bits, type);
      std::vector<float> rectified = reals;
      for (float& value : rectified) value = value <= 0.0f ? 0.0f : value;
      Expected expected = expect_on(rectified, grid);
      for (std::int64_t i = 0; i < n; ++i)
        if (reals[i] <= 0.0f) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
      std::vector<std::int8_t> cpu(n);
      kernels::quantize_run({bits.data(), cpu.data(), nullptr, type, true}, grid, 0, n);
      EXPECT_EQ(kernels::first_difference(cpu, expected.codes), "");
      DeviceTable table(grid, n);
      DeviceArray<std::uint16_t> x("x", bits, n % 4);
      auto codes = DeviceArray<std::int8_t>::uninitialised("codes", n);
      auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8);
      DeviceArray<int> saw_nan("saw_nan", {0});
      launch_quantize({x.data(), codes.data(), clip_mask.data(), type, true}, table.table, n, saw_nan.data(),
                      kStream);
      EXPECT_EQ(first_difference(codes, expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
    }
  }
}

TEST(CudaQuantize, DoesNothingWhereItsConditionIsNotMet) {
  Random random(4);
  const std::vector<float> values = random_floats(random, 40, 16.0f);
  for (const std::int64_t groups : {1, 4}) {
    DeviceTable table({nullptr, nullptr, -128, 127, 40, 40 / groups, 1}, std::vector<float>(groups, 0.1f),
                      std::vector<std::int32_t>(groups, 3));
    for (const bool is_met : {false, true}) {
      DeviceArray<float> x("x", values);
      DeviceArray<std::uint8_t> only_if("only_if", {std::uint8_t{is_met}});
      DeviceArray<std::int8_t> codes("codes", std::vector<std::int8_t>(40, 99));
      ASSERT_EQ(launch_quantize({x.data(), codes.data(), nullptr}, table.table, 40, nullptr, kStream,
                                only_if.data()),
                nullptr);
      EXPECT_EQ(first_difference(codes, is_met ? expect_on(values, {.scale = 0.1f, .zero_point = 3}).codes
                                               : std::vector<std::int8_t>(40, 99)),
                "");
    }
  }
}

TEST(CudaQuantize, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  DeviceTable table(AffineGrid{}, 1);
  EXPECT_EQ(launch_quantize({}, table.table, 0, nullptr, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_quantize({}, table.table, 1, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
