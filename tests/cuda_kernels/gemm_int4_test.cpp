// kernels/matmul/cuda/gemm_int4.cu and gemm_float_int4.cu on the emulator: the oracle's bits and those of the
// CPU's kernels, for every format, group, tail and placement.
#include "kernels/matmul/cuda/gemm_int4.cu"

#include "kernels/matmul/cuda/gemm_float_int4.cu"

#include <limits>

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct Sizes {
  std::int64_t m, n, k, group_size = 0;
};

/// How codes are stored, and whether groups have zero points.
struct WeightKind {
  const char* why;
  CodeFormat format;
  std::int32_t qmin, qmax;
  bool asymmetric;
};
const WeightKind kKinds[] = {
    {"signed nibbles", CodeFormat::kInt4, -8, 7, false},
    {"signed nibbles with zero points", CodeFormat::kInt4, -8, 7, true},
    {"unsigned nibbles with zero points", CodeFormat::kUint4, 0, 15, true},
    {"bytes", CodeFormat::kInt8, -127, 127, false},
    {"bytes with zero points", CodeFormat::kInt8, -64, 63, true},
};

oracle::Weights random_weights(Random& random, const Sizes& s, const WeightKind& kind) {
  oracle::Weights weights{s.n, s.k, s.group_size, random_codes(random, s.n * s.k, kind.qmin, kind.qmax),
                          {},  {}};
  for (std::int64_t i = 0; i < s.n * weights.groups(); ++i) {
    weights.scale.push_back(0.01f + 0.001f * static_cast<float>(random_int(random, 0, 97)));
    if (kind.asymmetric)
      weights.zero_point.push_back(static_cast<std::int32_t>(random_int(random, kind.qmin, kind.qmax)));
  }
  return weights;
}

/// A weight's bytes as the format stores them.
std::vector<std::uint8_t> stored(const oracle::Weights& weights, const WeightKind& kind) {
  if (kind.format == CodeFormat::kInt8) return {weights.codes.begin(), weights.codes.end()};
  std::vector<std::uint8_t> packed(packed_int4_bytes(std::ssize(weights.codes)));
  kernels::pack_int4(weights.codes.data(), std::ssize(weights.codes), packed.data());
  return packed;
}

/// The device's copy of a weight.
struct DeviceWeight {
  DeviceArray<std::uint8_t> codes;
  DeviceArray<float> scale;
  DeviceArray<std::int32_t> zero_point;
  RowMajorWeight weight;

  DeviceWeight(const oracle::Weights& w, const WeightKind& kind, std::size_t offset)
      : codes("codes", stored(w, kind), offset),
        scale("scale", w.scale),
        zero_point("zero_point", w.zero_point.empty() ? std::vector<std::int32_t>{0} : w.zero_point),
        weight{codes.data(),
               kind.format,
               {w.n, w.k, w.group_size},
               scale.data(),
               w.zero_point.empty() ? nullptr : zero_point.data()} {}
};

/// How a call ends, and where its arrays begin.
struct Ending {
  bool bias = true, relu = false;
  std::int64_t gap = 0;  // elements between rows, of input and output
  std::size_t offset = 0;
  bool factors = false;  // of channels, in products of codes
};

/// Compares y after run(output) with what follows from `sums`, the oracle's [m][n].
template <class RunLaunch>
void expect_output(const std::vector<float>& sums, std::int64_t m, std::int64_t n,
                   const std::vector<float>& bias_values, const Ending& ending, RunLaunch run) {
  std::vector<float> expected(m * (n + ending.gap), std::bit_cast<float>(0xFFFFFFFFu));
  for (std::int64_t row = 0; row < m; ++row)
    for (std::int64_t c = 0; c < n; ++c) {
      const float y = sums[row * n + c];
      expected[row * (n + ending.gap) + c] = ending.relu && y < 0 ? 0.0f : y;
    }
  auto y = DeviceArray<float>::uninitialised("y", expected.size(), ending.offset);
  DeviceArray<float> bias("bias", bias_values, ending.offset);
  const Int4Output output{y.data(), n + ending.gap, ending.bias ? bias.data() : nullptr, ending.relu};
  ASSERT_EQ(run(output), nullptr);
  EXPECT_EQ(first_difference(y, expected), "");
}

std::string text(const Sizes& s, const char* why) {
  return std::string(why) + ": m " + std::to_string(s.m) + ", n " + std::to_string(s.n) + ", k " +
         std::to_string(s.k) + ", groups of " + std::to_string(s.group_size);
}

/// Rows of length k with `gap` elements behind each.
template <class T>
std::vector<T> spaced(const std::vector<T>& rows, std::int64_t k, std::int64_t gap) {
  std::vector<T> all;
  for (auto at = rows.begin(); at != rows.end(); at += k) {
    all.insert(all.end(), at, at + k);
    all.insert(all.end(), gap, T(1));
  }
  return all;
}

void expect_codes_product(Random& random, const Sizes& s, const WeightKind& kind, const Ending& ending = {},
                          int seeds = 1) {
  SCOPED_TRACE(text(s, kind.why));
  const oracle::Weights weights = random_weights(random, s, kind);
  const oracle::Grid grid{.scale = 0.037f, .zero_point = static_cast<int>(random_int(random, -128, 127))};
  const std::vector<std::int8_t> codes = random_codes(random, s.m * s.k);
  const std::vector<float> bias = random_floats(random, s.n, 1.0f);
  const std::vector<float> channel_scale =
      ending.factors ? random_channel_scales(random, s.n) : std::vector<float>();
  const auto sums =
      oracle::linear(codes, s.m, grid, weights, ending.bias ? bias : std::vector<float>(), channel_scale);
  DeviceArray<float> factors("channel_scale", channel_scale, ending.offset);
  DeviceArray<std::int8_t> a("a", spaced(codes, s.k, ending.gap), ending.offset);
  DeviceArray<float> a_scale("a_scale", {grid.scale});
  DeviceArray<std::int32_t> a_zero_point("a_zero_point", {grid.zero_point});
  DeviceWeight weight(weights, kind, ending.offset);
  for_each_seed(seeds, [&] {
    expect_output(sums, s.m, s.n, bias, ending, [&](const Int4Output& output) {
      return launch_gemm_codes({a.data(), s.k + ending.gap, s.m, a_scale.data(), a_zero_point.data(),
                                weight.weight, output, channel_scale.empty() ? nullptr : factors.data()},
                               kStream);
    });
  });
}

const Sizes kSizes[] = {
    {1, 1, 1},       {1, 5, 3},        {3, 64, 32},       {65, 3, 33},      {7, 130, 64},
    {64, 64, 16},    {5, 66, 100, 20}, {2, 9, 128, 32},   {3, 70, 132, 64}, {17, 12, 200, 128},
    {4, 33, 36, 12}, {2, 8, 65, 64},   {3, 65, 260, 256}, {70, 67, 47, 4},
};

TEST(CudaGemmInt4, GivesTheBitsOfTheContractForEveryFormatGroupAndTail) {
  Random random(1);
  for (const WeightKind& kind : kKinds)
    for (const Sizes& s : kSizes)
      for (const bool factors : {false, true}) expect_codes_product(random, s, kind, {.factors = factors});
}

TEST(CudaGemmInt4, EndsWithBiasReluAndGapsWhereverArraysBegin) {
  Random random(2);
  for (const Ending& ending : {Ending{.bias = false}, Ending{.relu = true}, Ending{.relu = true, .gap = 3},
                               Ending{.bias = false, .relu = true, .gap = 16, .offset = 1, .factors = true},
                               Ending{.offset = 4, .factors = true}, Ending{.offset = 7}})
    for (const WeightKind& kind : kKinds) {
      expect_codes_product(random, {66, 69, 96, 32}, kind, ending, 2);
      expect_codes_product(random, {3, 21, 48}, kind, ending, 2);
    }
}

TEST(CudaGemmInt4, DoesNotDependOnTheOrderOfThreads) {
  Random random(3);
  expect_codes_product(random, {66, 130, 164, 36}, kKinds[2], {.relu = true, .factors = true}, 6);
}

TEST(CudaGemmInt4, HoldsTheExtremeSumsExactly) {
  const Sizes s{2, 3, 4096, 1024};
  oracle::Weights weights{s.n,
                          s.k,
                          s.group_size,
                          std::vector<std::int8_t>(s.n * s.k, 15),
                          std::vector<float>(s.n * 4, 0.75f),
                          std::vector<std::int32_t>(s.n * 4, 0)};
  const oracle::Grid grid{.scale = 0.5f, .zero_point = 127};
  const std::vector<std::int8_t> codes(s.m * s.k, -128);
  const auto sums = oracle::linear(codes, s.m, grid, weights, {});
  DeviceArray<std::int8_t> a("a", codes);
  DeviceArray<float> a_scale("a_scale", {grid.scale});
  DeviceArray<std::int32_t> a_zero_point("a_zero_point", {grid.zero_point});
  DeviceWeight weight(weights, kKinds[2], 0);
  expect_output(sums, s.m, s.n, {0.0f}, {.bias = false}, [&](const Int4Output& output) {
    return launch_gemm_codes({a.data(), s.k, s.m, a_scale.data(), a_zero_point.data(), weight.weight, output},
                             kStream);
  });
}

/// The weight as the CPU's kernels read it.
struct PackedWeight {
  Int4Shape shape;
  std::vector<std::uint8_t> levels, zero_levels;
  std::vector<float> scale;
  std::int32_t qmin;

  PackedWeight(const oracle::Weights& w, std::int32_t lowest) : shape{w.n, w.k, w.group_size}, qmin(lowest) {
    levels.resize(shape.packed_bytes());
    scale.resize(shape.terms());
    pack_gemm_int4(shape, w.codes.data(), qmin, levels.data(), 0, w.n);
    pack_gemm_int4_scales(shape, w.scale.data(), scale.data(), 0, w.n);
    if (w.zero_point.empty()) return;
    zero_levels.resize(shape.terms());
    pack_gemm_int4_zero_points(shape, w.zero_point.data(), qmin, zero_levels.data(), 0, w.n);
  }
  PackedInt4 packed() const {
    return {shape, levels.data(), scale.data(), zero_levels.empty() ? nullptr : zero_levels.data(),
            static_cast<std::uint8_t>(-qmin)};
  }
};

TEST(CudaGemmInt4, GivesTheBitsOfTheCpuFromTheSameCodes) {
  Random random(4);
  const Sizes s{19, 37, 164, 32};
  for (const WeightKind& kind : {kKinds[0], kKinds[1], kKinds[2]}) {
    const oracle::Weights weights = random_weights(random, s, kind);
    const PackedWeight packed(weights, kind.qmin);
    const std::vector<std::int8_t> codes = random_codes(random, s.m * s.k);
    std::vector<float> expected(s.m * s.n);
    kernels::gemm_int4({codes.data(), s.k, 0.013f, -5, packed.packed(), {expected.data(), s.n}}, 0, s.m, 0,
                       s.n);
    DeviceArray<std::int8_t> a("a", codes);
    DeviceArray<float> a_scale("a_scale", {0.013f});
    DeviceArray<std::int32_t> a_zero_point("a_zero_point", {-5});
    DeviceWeight weight(weights, kind, 0);
    auto y = DeviceArray<float>::uninitialised("y", expected.size());
    ASSERT_EQ(launch_gemm_codes(
                  {a.data(), s.k, s.m, a_scale.data(), a_zero_point.data(), weight.weight, {y.data(), s.n}},
                  kStream),
              nullptr);
    EXPECT_EQ(first_difference(y, expected), "") << kind.why;
  }
}

/// x: floats, or the bits of a 16-bit type, whose reals are `reals`.
template <class T>
void expect_floats_product(Random& random, const Sizes& s, const WeightKind& kind, FloatType type,
                           const std::vector<T>& elements, const std::vector<float>& reals,
                           const Ending& ending = {}) {
  SCOPED_TRACE(text(s, kind.why));
  const oracle::Weights weights = random_weights(random, s, kind);
  const std::vector<float> bias = random_floats(random, s.n, 1.0f);
  const auto sums = oracle::weight_only(reals, s.m, weights, ending.bias ? bias : std::vector<float>());
  DeviceArray<T> x("x", spaced(elements, s.k, ending.gap), ending.offset);
  DeviceWeight weight(weights, kind, ending.offset);
  for_each_seed(2, [&] {
    expect_output(sums, s.m, s.n, bias, ending, [&](const Int4Output& output) {
      return launch_gemm_float_int4({x.data(), type, s.k + ending.gap, s.m, weight.weight, output}, kStream);
    });
  });
}

TEST(CudaGemmFloatInt4, KeepsTheOrderOfFloatSumsForEveryFormatGroupAndTail) {
  Random random(5);
  for (const WeightKind& kind : kKinds)
    for (const Sizes& s : kSizes) {
      const std::vector<float> x = random_floats(random, s.m * s.k, 3.0f);
      expect_floats_product(random, s, kind, FloatType::kFloat32, x, x);
    }
}

TEST(CudaGemmFloatInt4, TakesFloatsOf16BitsAndEndsAsTheProductOfCodesDoes) {
  Random random(6);
  const Sizes s{33, 69, 100, 36};
  for (const Ending& ending :
       {Ending{}, Ending{.relu = true, .gap = 3, .offset = 1}, Ending{.bias = false, .gap = 4}}) {
    const std::vector<float> x = random_floats(random, s.m * s.k, 3.0f);
    expect_floats_product(random, s, kKinds[1], FloatType::kFloat32, x, x, ending);
    for (const FloatType type : k16BitTypes) {
      const std::vector<std::uint16_t> stored = stored_bits(x, type);
      expect_floats_product(random, s, kKinds[0], type, stored, reals_of(stored, type), ending);
    }
  }
}

TEST(CudaGemmInt4, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  EXPECT_EQ(launch_gemm_codes({.m = 0, .b = {.shape = {3, 4}}}, kStream), nullptr);
  EXPECT_EQ(launch_gemm_float_int4({.m = 3, .b = {.shape = {0, 4}}}, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  for (const CodeFormat format : {CodeFormat::kInt8, CodeFormat::kInt4, CodeFormat::kUint4}) {
    cuda_emulator::refuse_next_launch();
    EXPECT_STREQ(launch_gemm_codes({.m = 1, .b = {.format = format, .shape = {1, 1}}}, kStream), kRefused);
    cuda_emulator::refuse_next_launch();
    EXPECT_STREQ(launch_gemm_float_int4({.m = 1, .b = {.format = format, .shape = {1, 1}}}, kStream),
                 kRefused);
  }
}

/// The functions of dot_product.cuh on the device. Launch one block.
__global__ void differences_of(const int* a, const int* b, int n, unsigned* differences) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kThreads)
    differences[i] = subtract_bytes(four_bytes(a[i]) ^ 0xFF00u, four_bytes(b[i]));
}
__global__ void dots_of(const unsigned* words, int n, std::int32_t* dots) {
  for (int i = static_cast<int>(threadIdx.x); i < n * n; i += kThreads)
    dots[i] = dot4(words[i / n], words[i % n], -5);
}
__global__ void lowest_bytes_of(const int* counts, int n, unsigned* words) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kThreads)
    words[i] = lowest_bytes(0xFFFFFFFFu, counts[i]);
}

TEST(CudaDotProduct, TakesBytesAsSigned) {
  const std::vector<unsigned> words = {0x80FF7F01u, 0x00000000u, 0x80808080u, 0x7F7F7F7Fu, 0x01FE8000u};
  const int n = static_cast<int>(words.size());
  std::vector<std::int32_t> expected;
  for (const unsigned a : words)
    for (const unsigned b : words) {
      std::int8_t of_a[4], of_b[4];
      std::memcpy(of_a, &a, 4), std::memcpy(of_b, &b, 4);
      expected.push_back(-5 + of_a[0] * of_b[0] + of_a[1] * of_b[1] + of_a[2] * of_b[2] + of_a[3] * of_b[3]);
    }
  ASSERT_EQ(expected[0], 16384 + 1 + 16129 + 1 - 5);
  DeviceArray<unsigned> input("words", words);
  auto dots = DeviceArray<std::int32_t>::uninitialised("dots", expected.size());
  emulate(1, kThreads, dots_of, input.data(), n, dots.data());
  EXPECT_EQ(first_difference(dots, expected), "");
}

TEST(CudaDotProduct, BorrowsNothingFromOneByteToTheNext) {
  std::vector<int> a_values, b_values;
  std::vector<unsigned> expected;
  for (int a = -128; a < 128; ++a)
    for (int b = -128; b < 128; b += 5) {
      a_values.push_back(a), b_values.push_back(b);
      const unsigned byte = static_cast<unsigned>(a - b) & 0xFFu,
                     flipped = static_cast<unsigned>(~a - b) & 0xFFu;
      expected.push_back(byte * 0x01010001u | flipped << 8);
    }
  DeviceArray<int> a("a", a_values), b("b", b_values);
  auto differences = DeviceArray<unsigned>::uninitialised("differences", expected.size());
  emulate(1, kThreads, differences_of, a.data(), b.data(), static_cast<int>(expected.size()),
          differences.data());
  EXPECT_EQ(first_difference(differences, expected), "");
}

TEST(CudaDotProduct, KeepsTheLowestBytes) {
  const std::vector<int> count_values = {-1, 0, 1, 2, 3, 4, 5};
  DeviceArray<int> counts("counts", count_values);
  auto words = DeviceArray<unsigned>::uninitialised("words", 7);
  emulate(1, kThreads, lowest_bytes_of, counts.data(), 7, words.data());
  EXPECT_EQ(first_difference(words, {0u, 0u, 0xFFu, 0xFFFFu, 0xFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu}), "");
}

}  // namespace
}  // namespace samebits::kernels::cuda
