// kernels/formats/cuda/fake_quantize_small_float.cu on the emulator: codes and reals of a search among all
// values of a format, and the bits of the CPU.
#include "kernels/formats/cuda/fake_quantize_small_float.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels::cuda {
namespace {

struct FloatsExpected {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, clip_mask;
  bool saw_nan = false;
};

float real_of(int code, const oracle::SmallFloat& definition, float scale) {
  const double value = oracle::decode(code, definition);
  if (std::isnan(value)) return std::bit_cast<float>(0x7FC00000u);
  return oracle::multiply(static_cast<float>(value), scale);
}

template <class ScaleOf>
FloatsExpected expect_search(const std::vector<float>& x, const FormatCase& c, Overflow overflow,
                             ScaleOf scale_of) {
  const oracle::SmallFloatSearch search(c.definition);
  FloatsExpected expected;
  expected.clip_mask.resize((x.size() + 7) / 8);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scale = scale_of(static_cast<std::int64_t>(i));
    const auto found = search.encode(oracle::divide(x[i], scale), overflow == Overflow::kSaturate);
    expected.codes.push_back(static_cast<std::uint8_t>(found.code));
    expected.y.push_back(real_of(found.code, c.definition, scale));
    if (found.clipped) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= found.is_nan;
  }
  return expected;
}

void expect_cpu(const std::vector<float>& x, const FormatCase& c, Overflow overflow, const GridTable& table,
                const FloatsExpected& expected) {
  std::vector<float> y(x.size());
  std::vector<std::uint8_t> codes(x.size()), clip_mask((x.size() + 7) / 8);
  kernels::fake_quantize_small_float({x.data(), y.data(), codes.data(), clip_mask.data()}, c.format, overflow,
                                     table, 0, std::ssize(x));
  EXPECT_EQ(kernels::first_difference(y, expected.y), "");
  EXPECT_EQ(kernels::first_difference(codes, expected.codes), "");
  EXPECT_EQ(kernels::first_difference(clip_mask, expected.clip_mask), "");
}

/// There and, from the codes, back.
void expect_launches(const std::vector<float>& values, const FormatCase& c, Overflow overflow,
                     DeviceTable& table, const FloatsExpected& expected, Offsets offsets = {}) {
  const auto n = std::ssize(values);
  DeviceArray<float> x("x", values, offsets.x);
  auto y = DeviceArray<float>::uninitialised("y", n, offsets.y),
       decoded = DeviceArray<float>::uninitialised("y", n);
  auto codes = DeviceArray<std::uint8_t>::uninitialised("codes", n, offsets.y);
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", (n + 7) / 8, offsets.y);
  DeviceArray<int> saw_nan("saw_nan", {0});
  const SmallFloatArgs args{x.data(), y.data(), codes.data(), clip_mask.data()};
  ASSERT_EQ(
      launch_fake_quantize_small_float(args, c.format, overflow, table.table, n, saw_nan.data(), kStream),
      nullptr);
  EXPECT_EQ(first_difference(y, expected.y), "");
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
  ASSERT_EQ(launch_decode_small_floats(codes.data(), decoded.data(), c.format, table.table, n, kStream),
            nullptr);
  EXPECT_EQ(first_difference(decoded, expected.y), "");
}

TEST(CudaFakeQuantizeSmallFloat, RoundsAsTheSearchAndTheCpuDoInEveryFormat) {
  for (const FormatCase& c : kFormats) {
    for (const Overflow overflow : overflows_of(c)) {
      for (const float scale : {1.0f, 0.1f}) {
        SCOPED_TRACE(testing::Message() << c.name << ", scale " << scale);
        const std::vector<float> x = hard_values_of(c);
        const auto n = std::ssize(x);
        const FloatsExpected expected = expect_search(x, c, overflow, [&](std::int64_t) { return scale; });
        expect_cpu(x, c, overflow, {&scale, nullptr, 0, 0, n, n, 1}, expected);
        DeviceTable table(AffineGrid{.scale = scale}, n);
        expect_launches(x, c, overflow, table, expected);
      }
    }
  }
}

TEST(CudaFakeQuantizeSmallFloat, EndsAtTheLastElementOfEveryCountAndPlacement) {
  Random random(1);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 9.0f);
    const FloatsExpected expected =
        expect_search(x, kFormats[4], Overflow::kSaturate, [](std::int64_t) { return 0.7f; });
    DeviceTable table(AffineGrid{.scale = 0.7f}, n);
    for (const Offsets offsets : kOffsets)
      for_each_seed(1,
                    [&] { expect_launches(x, kFormats[4], Overflow::kSaturate, table, expected, offsets); });
  }
}

TEST(CudaFakeQuantizeSmallFloat, GivesEachElementTheScaleOfItsChannelOrGroup) {
  Random random(2);
  for (const Granularity& g : all_granularities()) {
    SCOPED_TRACE(g.why);
    const Grids grids(g.grids());
    const std::vector<float> x = random_floats(random, g.elements(), 20.0f);
    const FloatsExpected expected = expect_search(
        x, kFormats[0], Overflow::kToSpecial, [&](std::int64_t i) { return grids.scale[g.grid_index(i)]; });
    expect_cpu(x, kFormats[0], Overflow::kToSpecial, g.table(grids.scale.data()), expected);
    DeviceTable table(g.table(), grids.scale, grids.zero_point);
    for_each_seed(3, [&] { expect_launches(x, kFormats[0], Overflow::kToSpecial, table, expected); });
  }
}

TEST(CudaFakeQuantizeSmallFloat, WidensAndRoundsThe16BitTypesAsTheOracleDoes) {
  for (const FloatType type : k16BitTypes) {
    for (const FormatCase& c : kFormats) {
      const std::vector<std::uint16_t> bits = stored_bits(hard_values_of(c), type);
      const auto n = std::ssize(bits);
      const FloatsExpected expected =
          expect_search(reals_of(bits, type), c, Overflow::kSaturate, [](std::int64_t) { return 0.1f; });
      std::vector<std::uint16_t> expected_y = stored_bits(expected.y, type);
      for (std::int64_t i = 0; i < n; ++i)  // the quiet NaN
        if (std::isnan(expected.y[i])) expected_y[i] = type == FloatType::kBfloat16 ? 0x7FC0 : 0x7E00;
      DeviceTable table(AffineGrid{.scale = 0.1f}, n);
      DeviceArray<std::uint16_t> x("x", bits);
      auto y = DeviceArray<std::uint16_t>::uninitialised("y", n);
      DeviceArray<int> saw_nan("saw_nan", {0});
      launch_fake_quantize_small_float({x.data(), y.data(), nullptr, nullptr, type}, c.format,
                                       Overflow::kSaturate, table.table, n, saw_nan.data(), kStream);
      EXPECT_EQ(first_difference(y, expected_y), "") << c.name;
    }
  }
}

TEST(CudaFakeQuantizeSmallFloat, WritesOnlyWhatIsWantedAndReturnsTheTextOfARefusedLaunch) {
  DeviceTable table(AffineGrid{}, 9);
  DeviceArray<float> x("x", std::vector<float>(9, 0.3f));
  DeviceArray<int> saw_nan("saw_nan", {0});
  const auto launch_with = [&](const SmallFloatArgs& args, std::int64_t n) {
    return launch_fake_quantize_small_float(args, kFloat4E2M1, Overflow::kSaturate, table.table, n,
                                            saw_nan.data(), kStream);
  };
  EXPECT_EQ(launch_with({x.data(), nullptr, nullptr, nullptr}, 9), nullptr);
  EXPECT_EQ(launch_with({}, 0), nullptr);
  EXPECT_EQ(launch_decode_small_floats(nullptr, nullptr, kFloat4E2M1, table.table, 0, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_with({}, 9), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_decode_small_floats(nullptr, nullptr, kFloat4E2M1, table.table, 9, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
