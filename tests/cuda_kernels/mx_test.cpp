// kernels/formats/cuda/mx.cu on the emulator: blocks computed in double from the standard's text, and the
// bits of the CPU.
#include "kernels/formats/cuda/mx.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels::cuda {
namespace {

struct MxCase {
  const char* name;
  MxFormat format;
  const oracle::SmallFloat* definition;  // null: int8
};
const MxCase kMxFormats[] = {
    {"MXFP8 E4M3", kMxFloat8E4M3, &oracle::kE4M3}, {"MXFP8 E5M2", kMxFloat8E5M2, &oracle::kE5M2},
    {"MXFP6 E2M3", kMxFloat6E2M3, &oracle::kE2M3}, {"MXFP6 E3M2", kMxFloat6E3M2, &oracle::kE3M2},
    {"MXFP4 E2M1", kMxFloat4E2M1, &oracle::kE2M1}, {"MXINT8", kMxInt8, nullptr},
};

/// The arrays of a call.
struct MxArrays {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, scales, clip_mask;
  bool saw_nan = false;

  MxArrays(std::int64_t n, std::int64_t blocks) : y(n), codes(n), scales(blocks), clip_mask((n + 7) / 8) {}
};

/// code, value and whether it saturated, of x / 2^k.
std::tuple<int, double, bool> element_of(double v, const oracle::SmallFloat* definition) {
  if (definition != nullptr) {
    const auto found = oracle::SmallFloatSearch(*definition).encode(v, true);
    return {found.code, oracle::decode(found.code, *definition), found.clipped};
  }
  const double steps = std::isinf(v) ? v : oracle::round_half_even(v * 64);
  const double code = std::fmax(-127, std::fmin(127, steps));
  return {static_cast<int>(code), code == 0 ? 0 : code / 64, std::fabs(steps) > 127};
}

MxArrays expect_standard(const std::vector<float>& x, std::int64_t row_length,
                         const oracle::SmallFloat* definition) {
  const std::int64_t per_row = (row_length + 31) / 32, row_count = std::ssize(x) / row_length;
  MxArrays expected(std::ssize(x), row_count * per_row);
  const int largest_exponent = definition == nullptr ? 0 : std::ilogb(definition->largest());
  for (std::int64_t block = 0; block < row_count * per_row; ++block) {
    const std::int64_t row = block / per_row, first = row * row_length + block % per_row * 32;
    const std::int64_t last = std::min(first + 32, (row + 1) * row_length);
    double amax = 0;
    bool has_nan = false;
    for (std::int64_t i = first; i < last; ++i) {
      has_nan |= std::isnan(x[i]);
      amax = std::fmax(amax, std::fmin(std::fabs(x[i]), kLargest));
    }
    const int k = amax == 0 ? -127 : std::max(std::ilogb(amax) - largest_exponent, -127);
    expected.scales[block] = static_cast<std::uint8_t>(has_nan ? 255 : k + 127);
    expected.saw_nan |= has_nan;
    for (std::int64_t i = first; i < last; ++i) {
      const auto [code, value, clipped] = element_of(std::ldexp(double{x[i]}, -k), definition);
      expected.codes[i] = static_cast<std::uint8_t>(has_nan ? 0 : code);
      expected.y[i] = has_nan ? std::bit_cast<float>(0x7FC00000u) : static_cast<float>(std::ldexp(value, k));
      if (has_nan || clipped) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    }
  }
  return expected;
}

void expect_cpu(const std::vector<float>& x, std::int64_t row_length, const MxFormat& format,
                const MxArrays& expected) {
  MxArrays cpu(std::ssize(x), std::ssize(expected.scales));
  kernels::fake_quantize_mx(
      {x.data(), cpu.y.data(), cpu.codes.data(), cpu.scales.data(), cpu.clip_mask.data()}, format,
      {row_length}, 0, std::ssize(cpu.scales));
  EXPECT_EQ(kernels::first_difference(cpu.y, expected.y), "");
  EXPECT_EQ(kernels::first_difference(cpu.codes, expected.codes), "");
  EXPECT_EQ(kernels::first_difference(cpu.scales, expected.scales), "");
  EXPECT_EQ(kernels::first_difference(cpu.clip_mask, expected.clip_mask), "");
}

/// There and, from codes and scales, back.
void expect_launches(const std::vector<float>& values, std::int64_t row_length, const MxFormat& format,
                     const MxArrays& expected) {
  const std::int64_t n = std::ssize(values), row_count = n / row_length;
  DeviceArray<float> x("x", values);
  auto y = DeviceArray<float>::uninitialised("y", n), decoded = DeviceArray<float>::uninitialised("y", n);
  auto codes = DeviceArray<std::uint8_t>::uninitialised("codes", n);
  auto scales = DeviceArray<std::uint8_t>::uninitialised("scales", expected.scales.size());
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", expected.clip_mask.size());
  DeviceArray<int> saw_nan("saw_nan", {0});
  const MxArgs args{x.data(), y.data(), codes.data(), scales.data(), clip_mask.data()};
  ASSERT_EQ(launch_fake_quantize_mx(args, format, {row_length}, row_count, saw_nan.data(), kStream), nullptr);
  EXPECT_EQ(first_difference(y, expected.y), "");
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  EXPECT_EQ(first_difference(scales, expected.scales), "");
  EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
  ASSERT_EQ(launch_decode_mx_blocks(codes.data(), scales.data(), decoded.data(), format, {row_length},
                                    row_count, kStream),
            nullptr);
  EXPECT_EQ(first_difference(decoded, expected.y), "");
}

/// Magnitudes over twelve powers of two, and a NaN and an infinity here and there.
std::vector<float> block_values(Random& random, std::int64_t n) {
  std::vector<float> values = random_floats(random, n, 1.0f);
  for (float& value : values) value = std::ldexp(value, 3 - static_cast<int>(random_int(random, 0, 12)));
  if (n > 200) values[n / 3] = nans().front();
  if (n > 50) values[n / 2] = -kInfinity;
  return values;
}

TEST(CudaMx, GivesTheStandardsBlocksAndTheCpusBitsForEveryRowLength) {
  Random random(1);
  for (const MxCase& c : kMxFormats) {
    for (const std::int64_t row_length : {1, 7, 8, 12, 31, 32, 33, 40, 64, 65, 100}) {
      for (const std::int64_t row_count : {1, 3, 17}) {
        SCOPED_TRACE(testing::Message() << c.name << ", " << row_count << " rows of " << row_length);
        const std::vector<float> x = block_values(random, row_count * row_length);
        const MxArrays expected = expect_standard(x, row_length, c.definition);
        expect_cpu(x, row_length, c.format, expected);
        for_each_seed(2, [&] { expect_launches(x, row_length, c.format, expected); });
      }
    }
  }
}

TEST(CudaMx, GivesTheStandardsBlocksForScalesOfAllExponents) {
  for (const MxCase& c : kMxFormats) {
    std::vector<float> x;
    for (int exponent = -149; exponent <= 127; ++exponent)
      for (int i = 0; i < 32; ++i)
        x.push_back(std::ldexp((i % 2 == 0 ? 1.0f : -1.0f) * (1.0f + static_cast<float>(i) / 32.0f),
                               exponent - i % 3));
    expect_launches(x, 32, c.format, expect_standard(x, 32, c.definition));
  }
}

TEST(CudaMx, MayWriteOverItsInputOnAnyNumberOfBlocks) {
  Random random(2);
  const std::vector<float> values = block_values(random, 900);
  const MxArrays expected = expect_standard(values, 30, &oracle::kE2M1);
  for (const unsigned blocks : {1u, 2u}) {
    for_each_seed(3, [&] {
      DeviceArray<float> x("x", values);
      auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", expected.clip_mask.size());
      DeviceArray<int> saw_nan("saw_nan", {0});
      const MxArgs args{x.data(), x.data(), nullptr, nullptr, clip_mask.data()};
      const MxRows rows{30};
      emulate(blocks, kThreads, fake_quantize_mx<float>, args, kMxFloat4E2M1, rows, rows.block_step(), 30,
              saw_nan.data());
      EXPECT_EQ(first_difference(x, expected.y), "");
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    });
  }
}

TEST(CudaMx, WidensAndRoundsThe16BitTypesAsTheOracleDoes) {
  Random random(3);
  for (const FloatType type : k16BitTypes) {
    std::vector<float> values = random_floats(random, 40 * 35, 4.0f);
    const std::vector<std::uint16_t> bits = stored_bits(values, type);
    const MxArrays expected = expect_standard(reals_of(bits, type), 35, &oracle::kE4M3);
    DeviceArray<std::uint16_t> x("x", bits);
    auto y = DeviceArray<std::uint16_t>::uninitialised("y", bits.size());
    auto codes = DeviceArray<std::uint8_t>::uninitialised("codes", bits.size());
    DeviceArray<int> saw_nan("saw_nan", {0});
    launch_fake_quantize_mx({x.data(), y.data(), codes.data(), nullptr, nullptr, type}, kMxFloat8E4M3, {35},
                            40, saw_nan.data(), kStream);
    EXPECT_EQ(first_difference(y, stored_bits(expected.y, type)), "");
    EXPECT_EQ(first_difference(codes, expected.codes), "");
  }
}

TEST(CudaMx, WritesOnlyWhatIsWantedAndReturnsTheTextOfARefusedLaunch) {
  DeviceArray<float> x("x", std::vector<float>(35, 0.3f));
  DeviceArray<int> saw_nan("saw_nan", {0});
  const MxRows rows{35};
  EXPECT_EQ(launch_fake_quantize_mx({x.data()}, kMxInt8, rows, 1, saw_nan.data(), kStream), nullptr);
  EXPECT_EQ(launch_fake_quantize_mx({}, kMxInt8, rows, 0, nullptr, kStream), nullptr);
  EXPECT_EQ(launch_decode_mx_blocks(nullptr, nullptr, nullptr, kMxInt8, rows, 0, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_fake_quantize_mx({}, kMxInt8, rows, 1, nullptr, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_decode_mx_blocks(nullptr, nullptr, nullptr, kMxInt8, rows, 1, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
