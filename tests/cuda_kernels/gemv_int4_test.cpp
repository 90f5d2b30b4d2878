// kernels/matmul/cuda/gemv_int4.cu on the emulator: the bits of the CPU's kernels, which their own tests
// compare with the oracle, on the very arrays that the CPU packs.
#include "kernels/matmul/cuda/gemv_int4.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct GemvCase {
  std::int64_t m, n, k, group_size = 0;
  bool zero_points = false, bias = true, relu = false;
  std::int64_t gap = 0;    // elements between rows, of input and output
  std::size_t offset = 0;  // of every array
};
const GemvCase kCases[] = {
    {1, 1, 1},
    {1, 16, 64, 32, true},
    {1, 17, 100, 20, true, false, true},
    {3, 33, 77, 0, false, true, true, 5},
    {8, 16, 130},
    {9, 40, 4 * 37, 4, true, true, false, 3, 1},
    {5, 20, 2500, 128, true, true, true, 0, 3},
    {2, 18, 32 * 40 + 12, 32},
    {17, 5, 24, 8, true},
    {1, 31, 3001, 0, true},
};

/// A packed weight, for the CPU and for the device.
struct Weight {
  Int4Shape shape;
  std::vector<std::uint8_t> levels, zero_level;
  std::vector<float> scale, bias;
  bool has_bias;

  Weight(Random& random, const GemvCase& c) : shape{c.n, c.k, c.group_size}, has_bias(c.bias) {
    const std::vector<std::int8_t> codes = random_codes(random, c.n * c.k, -8, 7);
    std::vector<float> scales;
    std::vector<std::int32_t> zeros;
    for (std::int64_t i = 0; i < c.n * shape.groups(); ++i) {
      scales.push_back(0.01f + 0.001f * static_cast<float>(random_int(random, 0, 97)));
      zeros.push_back(static_cast<std::int32_t>(random_int(random, -8, 7)));
    }
    levels.resize(shape.packed_bytes());
    scale.resize(shape.terms());
    pack_gemm_int4(shape, codes.data(), -8, levels.data(), 0, c.n);
    pack_gemm_int4_scales(shape, scales.data(), scale.data(), 0, c.n);
    if (c.zero_points) {
      zero_level.resize(shape.terms());
      pack_gemm_int4_zero_points(shape, zeros.data(), -8, zero_level.data(), 0, c.n);
    }
    bias = random_floats(random, c.n, 1.0f);
  }
  PackedInt4 packed() const {
    return {shape, levels.data(), scale.data(), zero_level.empty() ? nullptr : zero_level.data()};
  }
};
struct DeviceWeight {
  DeviceArray<std::uint8_t> levels, zero_level;
  DeviceArray<float> scale, bias;
  PackedInt4 packed;

  DeviceWeight(const Weight& w, std::size_t offset)
      : levels("levels", w.levels, offset),
        zero_level("zero_level", w.zero_level.empty() ? std::vector<std::uint8_t>{0} : w.zero_level, offset),
        scale("scale", w.scale),
        bias("bias", w.bias),
        packed{w.shape, levels.data(), scale.data(), w.zero_level.empty() ? nullptr : zero_level.data()} {}
};

/// y of the CPU by call(y), of the device by launch(y, bias); bytes between rows stay untouched.
template <class Call, class Launch>
void expect_same(const GemvCase& c, const Weight& weight, DeviceWeight& device, Call call, Launch launch) {
  std::vector<float> expected(c.m * (c.n + c.gap), std::bit_cast<float>(0xFFFFFFFFu));
  call(Int4Output{expected.data(), c.n + c.gap, c.bias ? weight.bias.data() : nullptr, c.relu});
  for_each_seed(2, [&] {
    auto y = DeviceArray<float>::uninitialised("y", expected.size(), c.offset);
    ASSERT_EQ(launch(Int4Output{y.data(), c.n + c.gap, c.bias ? device.bias.data() : nullptr, c.relu}),
              nullptr);
    EXPECT_EQ(first_difference(y, expected), "");
  });
}

TEST(CudaGemvInt4, GivesTheBitsOfTheCpuForCodesInEveryGroupTailAndSplit) {
  Random random(1);
  for (const GemvCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.n << " x " << c.k << ", groups of " << c.group_size);
    const Weight weight(random, c);
    DeviceWeight device(weight, c.offset);
    const std::vector<std::int8_t> a = random_codes(random, c.m * (c.k + c.gap));
    DeviceArray<std::int8_t> device_a("a", a, c.offset);
    DeviceArray<float> a_scale("a_scale", {0.0371f});
    DeviceArray<std::int32_t> a_zero_point("a_zero_point", {-77});
    expect_same(
        c, weight, device,
        [&](const Int4Output& output) {
          gemm_int4({a.data(), c.k + c.gap, 0.0371f, -77, weight.packed(), output}, 0, c.m, 0, c.n);
        },
        [&](const Int4Output& output) {
          return launch_gemv_int4(
              {device_a.data(), c.k + c.gap, c.m, a_scale.data(), a_zero_point.data(), device.packed, output},
              kStream);
        });
  }
}

TEST(CudaGemvInt4, HoldsTheLargestSums) {
  Random random(2);
  GemvCase c{.m = 2, .n = 16, .k = 5000, .bias = false};
  Weight weight(random, c);
  std::fill(weight.levels.begin(), weight.levels.end(), std::uint8_t{0xFF});
  DeviceWeight device(weight, 0);
  const std::vector<std::int8_t> a(c.m * c.k, -128);
  DeviceArray<std::int8_t> device_a("a", a);
  DeviceArray<float> a_scale("a_scale", {1.0f});
  DeviceArray<std::int32_t> a_zero_point("a_zero_point", {127});
  expect_same(
      c, weight, device,
      [&](const Int4Output& output) {
        gemm_int4({a.data(), c.k, 1.0f, 127, weight.packed(), output}, 0, c.m, 0, c.n);
      },
      [&](const Int4Output& output) {
        return launch_gemv_int4(
            {device_a.data(), c.k, c.m, a_scale.data(), a_zero_point.data(), device.packed, output}, kStream);
      });
}

TEST(CudaGemvInt4, GivesTheBitsOfTheCpuForFloatsOfEveryType) {
  Random random(3);
  for (const GemvCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.n << " x " << c.k << ", groups of " << c.group_size);
    const Weight weight(random, c);
    DeviceWeight device(weight, c.offset);
    const std::vector<float> x = random_floats(random, c.m * (c.k + c.gap), 2.0f);
    const auto expect_type = [&](const auto& elements, FloatType type) {
      DeviceArray<typename std::decay_t<decltype(elements)>::value_type> device_x("x", elements, c.offset);
      expect_same(
          c, weight, device,
          [&](const Int4Output& output) {
            gemm_float_int4({elements.data(), type, c.k + c.gap, weight.packed(), output}, 0, c.m, 0, c.n);
          },
          [&](const Int4Output& output) {
            return launch_gemv_float_int4({device_x.data(), type, c.k + c.gap, c.m, device.packed, output},
                                          kStream);
          });
    };
    expect_type(x, FloatType::kFloat32);
    for (const FloatType type : k16BitTypes) expect_type(stored_bits(x, type), type);
  }
}

TEST(CudaGemvInt4, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  EXPECT_EQ(launch_gemv_int4({.m = 0, .b = {.shape = {1, 1}}}, kStream), nullptr);
  EXPECT_EQ(launch_gemv_int4({.m = 1, .b = {.shape = {0, 1}}}, kStream), nullptr);
  EXPECT_EQ(launch_gemv_float_int4({.x_type = FloatType::kFloat32, .m = 0, .b = {.shape = {1, 1}}}, kStream),
            nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_gemv_int4({.m = 1, .b = {.shape = {1, 1}}}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(
      launch_gemv_float_int4({.x_type = FloatType::kFloat32, .m = 1, .b = {.shape = {1, 1}}}, kStream),
      kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
