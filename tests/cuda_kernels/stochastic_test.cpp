// kernels/quantize/cuda/stochastic.cu on the emulator: the numbers and codes of the oracle, and the bits of
// the CPU.
#include "kernels/quantize/cuda/stochastic.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

constexpr std::uint64_t kSeed = 0x123456789ABCDEF0u, kNumbers = 0x1122334455667788u;

template <class GridOf>
Expected expect_stochastic(const std::vector<float>& x, GridOf grid_of) {
  Expected expected{.y = {},
                    .codes = std::vector<std::int8_t>(x.size()),
                    .clip_mask = std::vector<std::uint8_t>((x.size() + 7) / 8)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const oracle::Grid grid = to_oracle(grid_of(static_cast<std::int64_t>(i)));
    const double position = oracle::stochastic_position(x[i], oracle::philox_word(kSeed, kNumbers, i), grid);
    const double inside = std::fmin(std::fmax(position, grid.qmin), grid.qmax);
    expected.codes[i] = static_cast<std::int8_t>(std::isnan(position) ? grid.zero_point : inside);
    if (std::isnan(position) || inside != position)
      expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= std::isnan(x[i]);
  }
  return expected;
}

/// x: an array of floats, or of 16-bit elements.
template <class T>
void expect_launch(const std::vector<T>& values, FloatType type, DeviceTable& table, const Expected& expected,
                   Offsets offsets, bool with_mask = true) {
  const auto n = std::ssize(values);
  DeviceArray<T> x("x", values, offsets.x);
  auto codes = DeviceArray<std::int8_t>::uninitialised("codes", n, offsets.y);
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
  DeviceArray<int> saw_nan("saw_nan", {0});
  const StochasticArgs args{.x = x.data(),
                            .codes = codes.data(),
                            .clip_mask = with_mask ? clip_mask.data() : nullptr,
                            .type = type,
                            .seed = kSeed,
                            .stream = kNumbers};
  ASSERT_EQ(launch_quantize_stochastic(args, table.table, n, saw_nan.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  if (with_mask) {
    EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
  }
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
}

TEST(CudaStochastic, GivesEachElementItsNumberAndCodeOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    const std::vector<float> x = hard_values(c.grid);
    const Expected expected = expect_stochastic(x, [&](std::int64_t) { return c.grid; });
    DeviceTable table(c.grid, std::ssize(x));
    for_each_seed(2, [&] { expect_launch(x, FloatType::kFloat32, table, expected, {}); });
  }
}

TEST(CudaStochastic, EndsAtTheLastElementOfEveryCountPlacementAndType) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9, .qmin = -100, .qmax = 90};
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 16.0f);
    const Expected expected = expect_stochastic(x, [&](std::int64_t) { return grid; });
    DeviceTable table(grid, n);
    for (const Offsets offsets : kOffsets)
      for (const bool with_mask : {false, true})
        expect_launch(x, FloatType::kFloat32, table, expected, offsets, with_mask);
    for (const FloatType type : k16BitTypes) {
      const std::vector<std::uint16_t> bits = stored_bits(x, type);
      expect_launch(bits, type, table,
                    expect_stochastic(reals_of(bits, type), [&](std::int64_t) { return grid; }), {});
    }
  }
}

TEST(CudaStochastic, GivesEachElementTheGridOfItsChannelOrGroupAsTheCpuDoes) {
  Random random(2);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    const std::vector<float> x = random_floats(random, c.elements(), 5.0f);
    const Expected expected =
        expect_stochastic(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    std::vector<std::int8_t> cpu(x.size());
    kernels::quantize_stochastic(
        {.x = x.data(), .codes = cpu.data(), .clip_mask = nullptr, .seed = kSeed, .stream = kNumbers},
        c.table(grids.scale.data(), grids.zero_point.data()), 0, c.elements());
    EXPECT_EQ(kernels::first_difference(cpu, expected.codes), "");
    for_each_seed(2, [&] { expect_launch(x, FloatType::kFloat32, table, expected, {}); });
  }
}

TEST(CudaStochastic, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  DeviceTable table(AffineGrid{}, 1);
  EXPECT_EQ(launch_quantize_stochastic({}, table.table, 0, nullptr, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_quantize_stochastic({}, table.table, 1, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
