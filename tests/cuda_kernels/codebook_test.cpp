// kernels/formats/cuda/codebook.cu on the emulator: the nearest value by a search, and the bits of the CPU.
#include "kernels/formats/cuda/codebook.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/format_oracle.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels::cuda {
namespace {

struct CodebookExpected {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, clip_mask;
  bool saw_nan = false;
};

template <class ScaleOf>
CodebookExpected expect_nearest(const std::vector<float>& x, const Codebook& codebook, ScaleOf scale_of) {
  const std::vector<float> values(codebook.values, codebook.values + codebook.size);
  CodebookExpected expected{std::vector<float>(x.size()), std::vector<std::uint8_t>(x.size()),
                            std::vector<std::uint8_t>((x.size() + 7) / 8)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scale = scale_of(static_cast<std::int64_t>(i)), v = oracle::divide(x[i], scale);
    const int code = std::isnan(v) ? codebook.zero_code : oracle::nearest_index(v, values);
    expected.codes[i] = static_cast<std::uint8_t>(code);
    expected.y[i] = oracle::multiply(values[code], scale);
    if (std::isnan(v) || v < values.front() || v > values.back())
      expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= std::isnan(v);
  }
  return expected;
}

void expect_cpu(const std::vector<float>& x, const Codebook& codebook, const GridTable& table,
                const CodebookExpected& expected) {
  std::vector<float> y(x.size());
  std::vector<std::uint8_t> codes(x.size()), clip_mask((x.size() + 7) / 8);
  kernels::fake_quantize_codebook({x.data(), y.data(), codes.data(), clip_mask.data()}, codebook, table, 0,
                                  std::ssize(x));
  EXPECT_EQ(kernels::first_difference(y, expected.y), "");
  EXPECT_EQ(kernels::first_difference(codes, expected.codes), "");
  EXPECT_EQ(kernels::first_difference(clip_mask, expected.clip_mask), "");
}

void expect_launch(const std::vector<float>& values, const Codebook& codebook, DeviceTable& table,
                   const CodebookExpected& expected, Offsets offsets = {}) {
  const auto n = std::ssize(values);
  DeviceArray<float> x("x", values, offsets.x);
  auto y = DeviceArray<float>::uninitialised("y", n, offsets.y);
  auto codes = DeviceArray<std::uint8_t>::uninitialised("codes", n, offsets.y);
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
  DeviceArray<int> saw_nan("saw_nan", {0});
  const CodebookArgs args{x.data(), y.data(), codes.data(), clip_mask.data()};
  ASSERT_EQ(launch_fake_quantize_codebook(args, codebook, table.table, n, saw_nan.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(y, expected.y), "");
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
}

std::vector<Codebook> codebooks() {
  return {normal_float4(), powers_of_two(2), powers_of_two(4), additive_powers_of_two(4, true),
          additive_powers_of_two(3, false)};
}

/// Every value, every midpoint and their neighbours, and what is no number.
std::vector<float> hard_values_of(const Codebook& codebook, float scale) {
  std::vector<float> values = special_values();
  for (std::int32_t i = 0; i < codebook.size; ++i) {
    push_neighbours(codebook.values[i] * scale, 2, values);
    if (i + 1 < codebook.size)
      push_neighbours((codebook.values[i] + codebook.values[i + 1]) / 2 * scale, 3, values);
  }
  return values;
}

TEST(CudaCodebook, TakesTheNearestValueAsTheSearchAndTheCpuDo) {
  for (const Codebook& codebook : codebooks()) {
    for (const float scale : {1.0f, 0.1f, 0x1p-126f}) {
      const std::vector<float> x = hard_values_of(codebook, scale);
      const CodebookExpected expected = expect_nearest(x, codebook, [&](std::int64_t) { return scale; });
      const auto n = std::ssize(x);
      expect_cpu(x, codebook, {&scale, nullptr, 0, 0, n, n, 1}, expected);
      DeviceTable table(AffineGrid{.scale = scale}, n);
      for_each_seed(2, [&] { expect_launch(x, codebook, table, expected); });
    }
  }
}

TEST(CudaCodebook, EndsAtTheLastElementOfEveryCountAndPlacement) {
  Random random(1);
  const Codebook codebook = normal_float4();
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 1.2f);
    const CodebookExpected expected = expect_nearest(x, codebook, [](std::int64_t) { return 0.9f; });
    DeviceTable table(AffineGrid{.scale = 0.9f}, n);
    for (const Offsets offsets : kOffsets) expect_launch(x, codebook, table, expected, offsets);
  }
}

TEST(CudaCodebook, GivesEachElementTheScaleOfItsChannelOrGroup) {
  Random random(2);
  const Codebook codebook = additive_powers_of_two(4, true);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const std::vector<float> x = random_floats(random, c.elements(), 0.3f);
    const CodebookExpected expected =
        expect_nearest(x, codebook, [&](std::int64_t i) { return grids.scale[c.grid_index(i)]; });
    expect_cpu(x, codebook, c.table(grids.scale.data()), expected);
    DeviceTable table(c.table(), grids.scale, grids.zero_point);
    for_each_seed(3, [&] { expect_launch(x, codebook, table, expected); });
  }
}

TEST(CudaCodebook, WidensAndRoundsThe16BitTypesAsTheOracleDoes) {
  const Codebook codebook = normal_float4();
  for (const FloatType type : k16BitTypes) {
    const std::vector<std::uint16_t> bits = stored_bits(hard_values_of(codebook, 0.1f), type);
    const auto n = std::ssize(bits);
    const CodebookExpected expected =
        expect_nearest(reals_of(bits, type), codebook, [](std::int64_t) { return 0.1f; });
    DeviceTable table(AffineGrid{.scale = 0.1f}, n);
    DeviceArray<std::uint16_t> x("x", bits);
    auto y = DeviceArray<std::uint16_t>::uninitialised("y", n);
    DeviceArray<int> saw_nan("saw_nan", {0});
    launch_fake_quantize_codebook({x.data(), y.data(), nullptr, nullptr, type}, codebook, table.table, n,
                                  saw_nan.data(), kStream);
    EXPECT_EQ(first_difference(y, stored_bits(expected.y, type)), "");
  }
}

TEST(CudaCodebook, WritesOnlyTheOutputsThatAreWanted) {
  const Codebook codebook = normal_float4();
  DeviceTable table(AffineGrid{}, 9);
  DeviceArray<float> x("x", std::vector<float>(9, 0.3f));
  DeviceArray<int> saw_nan("saw_nan", {0});
  const auto launch_with = [&](const CodebookArgs& args) {
    return launch_fake_quantize_codebook(args, codebook, table.table, 9, saw_nan.data(), kStream);
  };
  auto y = DeviceArray<float>::uninitialised("y", 9);
  auto codes = DeviceArray<std::uint8_t>::uninitialised("codes", 9);
  EXPECT_EQ(launch_with({x.data(), y.data(), nullptr, nullptr}), nullptr);
  EXPECT_EQ(launch_with({x.data(), nullptr, codes.data(), nullptr}), nullptr);
  EXPECT_EQ(launch_with({x.data(), nullptr, nullptr, nullptr}), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_with({}), kRefused);
  EXPECT_EQ(launch_fake_quantize_codebook({}, codebook, table.table, 0, nullptr, kStream), nullptr);
}

}  // namespace
}  // namespace samebits::kernels::cuda
