// kernels/quantize/cuda/fake_quantize.cu on the emulator: the bits of the oracle and of the CPU, whatever the
// order of threads.
#include "kernels/quantize/cuda/fake_quantize.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

/// Outputs of one call; nothing is written before.
struct Outputs {
  DeviceArray<float> y;
  DeviceArray<std::uint8_t> clip_mask;
  DeviceArray<int> saw_nan{"saw_nan", {0}};

  explicit Outputs(std::int64_t n, std::size_t offset = 0)
      : y(DeviceArray<float>::uninitialised("y", n, offset)),
        clip_mask(DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offset)) {}

  void expect(const Expected& expected) {
    EXPECT_EQ(first_difference(y, expected.y), "");
    EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
  }
};

/// What the CPU's dispatched kernel makes of x, which must be what the oracle says.
Expected cpu_on(const std::vector<float>& x, const GridTable& table, const Expected& oracle) {
  Expected cpu = oracle;
  cpu.saw_nan =
      kernels::fake_quantize({x.data(), cpu.y.data(), cpu.clip_mask.data()}, table, 0, std::ssize(x));
  return cpu;
}

void expect_launch(const std::vector<float>& x_values, DeviceTable& table, const Expected& expected,
                   Offsets offsets = {}) {
  const auto n = std::ssize(x_values);
  DeviceArray<float> x("x", x_values, offsets.x);
  Outputs outputs(n, offsets.y);
  const FakeQuantizeArgs args{x.data(), outputs.y.data(), outputs.clip_mask.data()};
  ASSERT_EQ(launch_fake_quantize(args, table.table, n, outputs.saw_nan.data(), kStream), nullptr);
  outputs.expect(expected);
}

TEST(CudaFakeQuantize, GivesTheBitsOfTheOracleAndOfTheCpuOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    const std::vector<float> x = hard_values(c.grid);
    const Expected expected = expect_on(x, c.grid);
    const GridTable host{
        &c.grid.scale, &c.grid.zero_point, c.grid.qmin, c.grid.qmax, std::ssize(x), std::ssize(x), 1};
    const Expected cpu = cpu_on(x, host, expected);
    EXPECT_EQ(kernels::first_difference(cpu.y, expected.y), "");
    DeviceTable table(c.grid, std::ssize(x));
    for_each_seed(2, [&] { expect_launch(x, table, cpu); });
  }
}

TEST(CudaFakeQuantize, EndsAtTheLastElementOfEveryCountAndPlacement) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9, .qmin = -100, .qmax = 90};
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 16.0f);
    const Expected expected = expect_on(x, grid);
    DeviceTable table(grid, n);
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      for_each_seed(2, [&] { expect_launch(x, table, expected, offsets); });
    }
  }
}

TEST(CudaFakeQuantize, LeavesMaskBitsBehindTheEndZeroOnAGridWithoutZero) {
  const AffineGrid grid{.scale = 1.0f, .zero_point = 5, .qmin = 7, .qmax = 9};  // 0 itself is clipped
  for (const std::int64_t n : {1, 3, 4, 6, 12, 13}) {
    const std::vector<float> x(n, 0.0f);
    DeviceTable table(grid, n);
    expect_launch(x, table, expect_on(x, grid));
  }
}

TEST(CudaFakeQuantize, GivesEachElementTheGridOfItsChannelOrGroup) {
  Random random(2);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    x.back() = nans().front();
    const Expected expected = expect_by(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    const Expected cpu = cpu_on(x, c.table(grids.scale.data(), grids.zero_point.data()), expected);
    EXPECT_EQ(kernels::first_difference(cpu.y, expected.y), "");
    for_each_seed([&] { expect_launch(x, table, expected); });
  }
}

TEST(CudaFakeQuantize, TakesATableWithoutZeroPoints) {
  const Granularity granularity{"", 2, 3, 5, 0, 6};
  const Grids grids(3);
  DeviceTable table(granularity.table(), grids.scale, {});
  table.table.zero_point = nullptr;
  Random random(3);
  const std::vector<float> x = random_floats(random, granularity.elements(), 20.0f);
  expect_launch(x, table, expect_by(x, [&](std::int64_t i) {
                  return AffineGrid{grids.scale[granularity.grid_index(i)], 0, -128, 127};
                }));
}

/// Few blocks for many elements, so that threads stride, and the 64-bit form that launches keep for huge
/// tensors.
TEST(CudaFakeQuantize, GivesTheSameBitsOnAnyNumberOfBlocksAndWithIndicesOf64Bits) {
  const Granularity granularity{"", 3, 7, 150, 0, 21};
  const Grids grids(7);
  DeviceTable table(granularity.table(), grids.scale, grids.zero_point);
  Random random(4);
  const std::int64_t n = granularity.elements();
  const std::vector<float> x_values = random_floats(random, n, 20.0f);
  const Expected expected =
      expect_by(x_values, [&](std::int64_t i) { return grids.grid(granularity.grid_index(i)); });
  const ManyGrids<std::uint64_t> wide{
      {table.scale.data(), table.zero_point.data(), -128, 127}, 150, 150, 7, 1};
  for (const unsigned blocks : {1u, 2u, 3u, 11u}) {
    for_each_seed(3, [&] {
      DeviceArray<float> x("x", x_values);
      Outputs outputs(n);
      const FakeQuantizeArgs args{x.data(), outputs.y.data(), outputs.clip_mask.data()};
      emulate(blocks, kThreads, fake_quantize<float, ManyGrids<std::uint64_t>>, args, wide, n,
              outputs.saw_nan.data(), static_cast<const std::uint8_t*>(nullptr));
      outputs.expect(expected);
    });
  }
}

TEST(CudaFakeQuantize, MayWriteOverItsInput) {
  const AffineGrid grid{.scale = 0.5f};
  for (const std::int64_t n : {5, 1024, 1030}) {
    Random random(5);
    const std::vector<float> values = random_floats(random, n, 100.0f);
    const Expected expected = expect_on(values, grid);
    DeviceTable table(grid, n);
    DeviceArray<float> x("x", values);
    Outputs outputs(n);
    launch_fake_quantize({x.data(), x.data(), outputs.clip_mask.data()}, table.table, n,
                         outputs.saw_nan.data(), kStream);
    EXPECT_EQ(first_difference(x, expected.y), "");
    EXPECT_EQ(first_difference(outputs.clip_mask, expected.clip_mask), "");
  }
}

TEST(CudaFakeQuantize, RaisesTheFlagForANaNAtAnyPlaceAndNeverLowersIt) {
  const AffineGrid grid{.scale = 0.5f};
  const std::int64_t n = 300;
  DeviceTable table(grid, n);
  for (std::int64_t at = 0; at < n; at += 7) {
    std::vector<float> x(n, 1.0f);
    x[at] = nans()[at % nans().size()];
    expect_launch(x, table, expect_on(x, grid));
  }
  DeviceArray<float> x("x", std::vector<float>(n, 1.0f));
  Outputs outputs(n);
  DeviceArray<int> raised("saw_nan", {1});
  launch_fake_quantize({x.data(), outputs.y.data(), outputs.clip_mask.data()}, table.table, n, raised.data(),
                       kStream);
  EXPECT_EQ(raised.values()[0], 1);
}

TEST(CudaFakeQuantizeBackward, StopsTheGradientExactlyWhereTheMaskIsSetAndKeepsAllOtherBits) {
  Random random(6);
  for (const std::int64_t n : kDeviceCounts) {
    std::vector<float> grad_y = random_floats(random, n, 1.0f);
    const std::vector<float> special = special_values();
    for (std::int64_t i = 0; i < n; i += 3) grad_y[i] = special[i % special.size()];
    std::vector<std::uint8_t> mask((n + 7) / 8);
    for (auto& byte : mask) byte = static_cast<std::uint8_t>(random());
    std::vector<float> expected = grad_y, cpu(n);
    for (std::int64_t i = 0; i < n; ++i)
      if ((mask[i / 8] >> i % 8 & 1) != 0) expected[i] = 0.0f;
    kernels::fake_quantize_backward(grad_y.data(), mask.data(), cpu.data(), 0, n, FloatType::kFloat32);
    EXPECT_EQ(kernels::first_difference(cpu, expected), "");
    for (const Offsets offsets : kOffsets) {
      SCOPED_TRACE(testing::Message() << n << " elements, offsets " << offsets.x << " and " << offsets.y);
      for_each_seed(2, [&] {
        DeviceArray<float> g("grad_y", grad_y, offsets.x);
        DeviceArray<std::uint8_t> clip_mask("clip_mask", mask, offsets.x);
        auto grad_x = DeviceArray<float>::uninitialised("grad_x", n, offsets.y);
        ASSERT_EQ(launch_fake_quantize_backward(g.data(), clip_mask.data(), grad_x.data(), n,
                                                FloatType::kFloat32, kStream),
                  nullptr);
        EXPECT_EQ(first_difference(grad_x, expected), "");
      });
    }
  }
}

TEST(CudaFakeQuantize, WidensAndRoundsThe16BitTypesAsTheOracleDoes) {
  for (const FloatType type : k16BitTypes) {
    for (const GridCase& c : kGrids) {
      SCOPED_TRACE(c.why);
      const std::vector<std::uint16_t> bits = stored_bits(hard_values(c.grid), type);
      const Expected expected = expect_on(reals_of(bits, type), c.grid);
      const auto n = std::ssize(bits);
      DeviceTable table(c.grid, n);
      for (const Offsets offsets : kOffsets) {
        DeviceArray<std::uint16_t> x("x", bits, offsets.x);
        auto y = DeviceArray<std::uint16_t>::uninitialised("y", n, offsets.y);
        auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8);
        DeviceArray<int> saw_nan("saw_nan", {0});
        launch_fake_quantize({x.data(), y.data(), clip_mask.data(), type}, table.table, n, saw_nan.data(),
                             kStream);
        EXPECT_EQ(first_difference(y, stored_bits(expected.y, type)), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
        EXPECT_EQ(saw_nan.values()[0], 1);
      }
    }
  }
}

TEST(CudaFakeQuantizeBackward, MovesTheBitsOf16BitGradients) {
  Random random(7);
  for (const FloatType type : k16BitTypes) {
    for (const std::int64_t n : kDeviceCounts) {
      std::vector<std::uint16_t> gradient(n);
      for (auto& bits : gradient) bits = static_cast<std::uint16_t>(random());
      std::vector<std::uint8_t> mask((n + 7) / 8);
      for (auto& byte : mask) byte = static_cast<std::uint8_t>(random());
      std::vector<std::uint16_t> expected = gradient;
      for (std::int64_t i = 0; i < n; ++i)
        if ((mask[i / 8] >> i % 8 & 1) != 0) expected[i] = 0;
      DeviceArray<std::uint16_t> grad("grad", gradient, n % 3);
      DeviceArray<std::uint8_t> clip_mask("clip_mask", mask);
      launch_fake_quantize_backward(grad.data(), clip_mask.data(), grad.data(), n, type, kStream);
      EXPECT_EQ(first_difference(grad, expected), "");
    }
  }
}

TEST(CudaFakeQuantize, DoesNothingWhereItsConditionIsNotMet) {
  DeviceTable table(AffineGrid{.scale = 0.5f}, 3);
  for (const bool is_met : {false, true}) {
    DeviceArray<float> x("x", {0.6f, 1.0f, -9.3f}), y("y", {7.0f, 7.0f, 7.0f});
    DeviceArray<std::uint8_t> only_if("only_if", {std::uint8_t{is_met}}), mask("mask", {0});
    ASSERT_EQ(launch_fake_quantize({x.data(), y.data(), mask.data()}, table.table, 3, nullptr, kStream,
                                   only_if.data()),
              nullptr);
    EXPECT_EQ(
        first_difference(y, is_met ? std::vector<float>{0.5f, 1.0f, -9.5f} : std::vector<float>(3, 7.0f)),
        "");
  }
}

TEST(CudaFakeQuantize, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  DeviceTable table(AffineGrid{}, 0);
  EXPECT_EQ(launch_fake_quantize({}, table.table, 0, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_fake_quantize_backward(nullptr, nullptr, nullptr, 0, FloatType::kFloat32, kStream),
            nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  DeviceTable one(AffineGrid{}, 1);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_fake_quantize({}, one.table, 1, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_fake_quantize_backward(nullptr, nullptr, nullptr, 1, FloatType::kBfloat16, kStream),
               kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
