// kernels/matmul/gemm_int4.h against the oracle: every kind of weight, tails of every size, extreme codes,
// parts.
#include "kernels/matmul/gemm_int4.h"

#include <gmock/gmock.h>

#include <memory>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class GemmInt4 : public KernelTest {};
class GemmFloatInt4 : public KernelTest {};

/// Weights as the oracle and as the kernels want them.
struct Weights4 {
  oracle::Weights plain;
  Int4Shape shape;
  std::vector<std::uint8_t> levels, zero_levels;
  std::vector<float> scale;
  std::int32_t qmin;

  Weights4(oracle::Weights weights, std::int32_t qmin)
      : plain(std::move(weights)), shape{plain.n, plain.k, plain.group_size}, qmin(qmin) {
    levels.resize(shape.packed_bytes());
    pack_gemm_int4(shape, plain.codes.data(), qmin, levels.data(), 0, shape.n);
    scale.resize(shape.terms());
    pack_gemm_int4_scales(shape, plain.scale.data(), scale.data(), 0, shape.n);
    if (plain.zero_point.empty()) return;
    zero_levels.resize(shape.terms());
    pack_gemm_int4_zero_points(shape, plain.zero_point.data(), qmin, zero_levels.data(), 0, shape.n);
  }
  PackedInt4 packed() const {
    return {shape, levels.data(), scale.data(), zero_levels.empty() ? nullptr : zero_levels.data(),
            static_cast<std::uint8_t>(-qmin)};
  }
};

struct WeightKind {
  const char* why;
  std::int32_t qmin;
  bool asymmetric;
};
const WeightKind kKinds[] = {
    {"symmetric", -8, false},
    {"signed codes with zero points", -8, true},
    {"unsigned codes with zero points", 0, true},
};

Weights4 random_weights(Random& random, std::int64_t n, std::int64_t k, std::int64_t group_size,
                        const WeightKind& kind) {
  oracle::Weights weights{n, k, group_size, random_codes(random, n * k, kind.qmin, kind.qmin + 15), {}, {}};
  for (std::int64_t i = 0; i < n * weights.groups(); ++i) {
    weights.scale.push_back(0.01f + 0.001f * static_cast<float>(random_int(random, 0, 97)));
    if (kind.asymmetric)
      weights.zero_point.push_back(static_cast<std::int32_t>(random_int(random, kind.qmin, kind.qmin + 15)));
  }
  return {std::move(weights), kind.qmin};
}

/// How a call ends: with a bias or not, relu, gaps between rows of y.
struct Ending {
  bool bias = true, relu = false;
  std::int64_t gap = 0;
};

/// What y holds after a call, gaps included.
std::vector<float> expected_of(const std::vector<float>& sums, std::int64_t m, std::int64_t n,
                               const Ending& ending) {
  const float untouched = Guarded<float>(1).values()[0];
  std::vector<float> expected;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t c = 0; c < n; ++c) {
      const float y = sums[row * n + c];
      expected.push_back(ending.relu && y < 0 ? 0.0f : y);
    }
    expected.insert(expected.end(), ending.gap, untouched);
  }
  return expected;
}

/// Runs every implementation, on the whole output and on random parts of it, and compares all bits.
template <class Args, class Kernel>
void expect_output(Args args, const Kernel& kernel, std::int64_t m, const std::vector<float>& bias,
                   const std::vector<float>& sums, const Ending& ending, Random& random) {
  const std::int64_t n = args.b.shape.n;
  const std::vector<float> expected = expected_of(sums, m, n, ending);
  using Pieces = decltype(random_pieces(random, 1, 1));
  const Pieces columns = random_pieces(random, n, Int4Shape::kColumns), rows = random_pieces(random, m, 1);
  for (const auto& entry : under_test(kernel)) {
    for (const bool whole : {true, false}) {
      Guarded<float> y(std::ssize(expected), 3);
      args.output = {y.data(), n + ending.gap, ending.bias ? bias.data() : nullptr, ending.relu};
      for (const auto& [row_begin, row_end] : whole ? Pieces{{0, m}} : rows)
        for (const auto& [begin, end] : whole ? Pieces{{0, n}} : columns)
          entry.run(args, row_begin, row_end, begin, end);
      ASSERT_EQ(first_difference(y.values(), expected), "") << entry.name << (whole ? "" : " in parts");
      ASSERT_TRUE(y.guards_untouched()) << entry.name;
    }
  }
}

void expect_codes_product(Random& random, const Weights4& weights, std::int64_t m,
                          const std::vector<std::int8_t>& codes, const oracle::Grid& grid,
                          const Ending& ending = {}) {
  const std::int64_t n = weights.shape.n, k = weights.shape.k;
  SCOPED_TRACE(testing::Message() << "m " << m << ", n " << n << ", k " << k << ", groups of "
                                  << weights.shape.group_size);
  const std::vector<float> bias = random_floats(random, n, 1.0f);
  const auto sums = oracle::linear(codes, m, grid, weights.plain, ending.bias ? bias : std::vector<float>());
  const Unaligned<std::int8_t> a(codes, 1);
  const GemmInt4Args args{a.data(), k, grid.scale, grid.zero_point, weights.packed(), {}};
  expect_output(args, gemm_int4, m, bias, sums, ending, random);
}

void expect_codes_product(Random& random, std::int64_t m, std::int64_t n, std::int64_t k,
                          std::int64_t group_size, const WeightKind& kind, const Ending& ending = {}) {
  SCOPED_TRACE(kind.why);
  const oracle::Grid grid{.scale = 0.037f, .zero_point = static_cast<int>(random_int(random, -128, 127))};
  expect_codes_product(random, random_weights(random, n, k, group_size, kind), m, random_codes(random, m * k),
                       grid, ending);
}

TEST_F(GemmInt4, GivesTheBitsOfTheContractForEveryGroupSize) {
  Random random(1);
  for (const WeightKind& kind : kKinds)
    for (const std::int64_t group_size : {0, 4, 8, 12, 20, 32, 36, 64, 68, 100, 128, 132, 256})
      for (const std::int64_t k : {1, 3, 31, 32, 64, 128, 259})
        for (const std::int64_t m : {7, 19}) expect_codes_product(random, m, 21, k, group_size, kind);
}

TEST_F(GemmInt4, GivesTheBitsOfTheContractForEveryNumberOfRowsAndColumns) {
  Random random(2);
  for (std::int64_t m = 1; m <= 50; ++m)
    for (const std::int64_t n : {1, 15, 16, 17, 33, 64})
      expect_codes_product(random, m, n, 72, 32, kKinds[m % 3]);
  for (std::int64_t n = 1; n <= 50; ++n) expect_codes_product(random, 35, n, 68, 0, kKinds[n % 3]);
}

TEST_F(GemmInt4, GivesTheBitsOfTheContractBeyondOneBatchOfRowsAndOneChunkOfDepth) {
  Random random(3);
  for (const std::int64_t group_size : {0, 32, 64, 128})
    for (const WeightKind& kind : kKinds) expect_codes_product(random, 270, 18, 1300, group_size, kind);
}

TEST_F(GemmInt4, EndsARowAsItIsAskedTo) {
  Random random(4);
  for (const std::int64_t m : {3, 40})
    for (const std::int64_t n : {5, 16, 29, 48})
      for (const Ending ending : {Ending{.bias = false}, Ending{.relu = true},
                                  Ending{.bias = false, .relu = true}, Ending{.gap = 5}})
        for (const std::int64_t group_size : {0, 32})
          expect_codes_product(random, m, n, 64, group_size, kKinds[0], ending);
}

// 15 * 255 is the largest product, and -1920 what a pair of 16-bit lanes must hold eight of.
TEST_F(GemmInt4, HoldsTheLargestSumsOfTheLargestDepth) {
  Random random(5);
  struct Case {
    const char* why;
    int a, a_zero_point, code, zero_point;
  };
  const Case cases[] = {
      {"the largest sum", 127, -128, 15, 0},
      {"the smallest sum", -128, 127, 15, 0},
      {"the smallest sum by zero points", 127, -128, 0, 15},
      {"the largest sum by both zero points", -128, 127, 0, 15},
      {"large products that cancel", -128, -128, 15, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    for (const std::int64_t m : {1, 18}) {
      for (const std::int64_t k : {std::int64_t{64}, m == 1 ? kMaxInt4Depth : 70000}) {
        const oracle::Weights plain{2,
                                    k,
                                    0,
                                    std::vector<std::int8_t>(2 * k, static_cast<std::int8_t>(c.code)),
                                    {0.5f, 0.25f},
                                    {c.zero_point, c.zero_point}};
        expect_codes_product(random, Weights4(plain, 0), m,
                             std::vector<std::int8_t>(m * k, static_cast<std::int8_t>(c.a)),
                             {.scale = 0.125f, .zero_point = c.a_zero_point});
      }
    }
  }
}

TEST_F(GemmInt4, ReadsRowsThatStandApart) {
  Random random(6);
  const Weights4 weights = random_weights(random, 20, 40, 32, kKinds[1]);
  for (const std::int64_t m : {5, 20}) {
    const std::int64_t stride = 53;
    std::vector<std::int8_t> spread = random_codes(random, (m - 1) * stride + 40), dense;
    for (std::int64_t row = 0; row < m; ++row)
      dense.insert(dense.end(), spread.begin() + row * stride, spread.begin() + row * stride + 40);
    const auto sums = oracle::linear(dense, m, {.scale = 0.1f, .zero_point = 7}, weights.plain, {});
    const Unaligned<std::int8_t> a(spread, 0);
    expect_output(GemmInt4Args{a.data(), stride, 0.1f, 7, weights.packed(), {}}, gemm_int4, m, {}, sums,
                  {.bias = false}, random);
  }
}

TEST_F(GemmInt4, KeepsTheSignOfAZeroThatUnderflows) {
  Random random(7);
  for (const std::int64_t group_size : {0, 4})
    for (const std::int64_t m : {1, 20}) {
      const oracle::Weights plain{
          3, 4, group_size, std::vector<std::int8_t>(12, -1), std::vector<float>(3, 0x1p-126f), {}};
      expect_codes_product(random, Weights4(plain, -8), m, std::vector<std::int8_t>(4 * m, 1),
                           {.scale = 0x1p-126f, .zero_point = 0}, {.bias = false});
    }
}

void expect_floats_product(Random& random, const Weights4& weights, std::int64_t m,
                           const std::vector<float>& values, const Ending& ending = {}) {
  const std::int64_t n = weights.shape.n, k = weights.shape.k;
  SCOPED_TRACE(testing::Message() << "m " << m << ", n " << n << ", k " << k << ", groups of "
                                  << weights.shape.group_size);
  const std::vector<float> bias = random_floats(random, n, 1.0f);
  const auto sums = oracle::weight_only(values, m, weights.plain, ending.bias ? bias : std::vector<float>());
  const Unaligned<float> x(values, 1);
  const GemmFloatInt4Args args{x.data(), FloatType::kFloat32, k, weights.packed(), {}};
  expect_output(args, gemm_float_int4, m, bias, sums, ending, random);
}

TEST_F(GemmFloatInt4, GivesTheBitsOfTheContractForEveryGroupSize) {
  Random random(8);
  for (const WeightKind& kind : kKinds) {
    SCOPED_TRACE(kind.why);
    for (const std::int64_t group_size : {0, 4, 8, 12, 20, 32, 64, 100, 128})
      for (const std::int64_t k : {1, 3, 31, 32, 64, 128, 259})
        for (const std::int64_t m : {3, 14})
          expect_floats_product(random, random_weights(random, 21, k, group_size, kind), m,
                                random_floats(random, m * k, 3.0f));
  }
}

TEST_F(GemmFloatInt4, GivesTheBitsOfTheContractForEveryNumberOfRowsAndColumns) {
  Random random(9);
  for (std::int64_t m = 1; m <= 40; ++m)
    for (const std::int64_t n : {1, 15, 16, 17, 33})
      expect_floats_product(random, random_weights(random, n, 72, 32, kKinds[m % 3]), m,
                            random_floats(random, m * 72, 2.0f));
  expect_floats_product(random, random_weights(random, 17, 700, 64, kKinds[0]), 110,
                        random_floats(random, 110 * 700, 2.0f));
}

TEST_F(GemmFloatInt4, EndsARowAsItIsAskedTo) {
  Random random(10);
  for (const std::int64_t m : {3, 40})
    for (const std::int64_t n : {5, 29, 48})
      for (const Ending ending :
           {Ending{.bias = false}, Ending{.relu = true}, Ending{.relu = true}, Ending{.gap = 5}})
        expect_floats_product(random, random_weights(random, n, 64, 32, kKinds[0]), m,
                              random_floats(random, m * 64, 2.0f), ending);
}

TEST_F(GemmFloatInt4, KeepsTheOrderOfSumsWhereMagnitudesDiffer) {
  Random random(11);
  for (const std::int64_t m : {1, 20}) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < m * 96; ++i)
      x.push_back(
          std::ldexp(random_floats(random, 1, 1.0f)[0], static_cast<int>(random_int(random, -60, 60))));
    expect_floats_product(random, random_weights(random, 18, 96, 32, kKinds[1]), m, x);
  }
}

TEST_F(GemmFloatInt4, SumsDenormalsExactly) {
  Random random(12);
  for (const std::int64_t m : {1, 20}) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < m * 40; ++i)
      x.push_back(0x1p-149f * static_cast<float>(random_int(random, -9, 9)));
    expect_floats_product(random, random_weights(random, 18, 40, 20, kKinds[1]), m, x, {.bias = false});
  }
}

TEST_F(GemmFloatInt4, CarriesInfinityAndNaN) {
  Random random(13);
  for (const std::int64_t m : {2, 20}) {
    const Weights4 weights({3, 8, 4, std::vector<std::int8_t>(24, 3), std::vector<float>(6, 0.5f), {}}, -8);
    std::vector<float> x(m * 8, 1.0f);
    x[3] = std::numeric_limits<float>::infinity();
    x[8 + 5] = std::numeric_limits<float>::quiet_NaN();
    for (const auto& entry : under_test(gemm_float_int4)) {
      std::vector<float> y(m * 3);
      entry.run({x.data(), FloatType::kFloat32, 8, weights.packed(), {y.data(), 3}}, 0, m, 0, 3);
      EXPECT_EQ(y[0], std::numeric_limits<float>::infinity()) << entry.name;
      EXPECT_TRUE(std::isnan(y[3])) << entry.name;
      if (m > 2) {
        EXPECT_EQ(y[6], 12.0f) << entry.name;
      }
    }
  }
}

/// The value of 16 bits by powers of two.
float decoded(std::uint16_t bits, FloatType format) {
  const int mantissa_bits = format == FloatType::kBfloat16 ? 7 : 10,
            bias = format == FloatType::kBfloat16 ? 127 : 15;
  const int mantissa = bits & ((1 << mantissa_bits) - 1), exponent = (bits & 0x7FFF) >> mantissa_bits;
  const int implicit = exponent == 0 ? 0 : 1 << mantissa_bits;
  const double magnitude =
      std::ldexp(mantissa + implicit, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  return static_cast<float>(bits >> 15 ? -magnitude : magnitude);
}

TEST_F(GemmFloatInt4, WidensEveryFinite16BitFloatExactly) {
  // k = 1: y is x times one weight of 1 and a scale of 1.
  const Weights4 weights({1, 1, 0, {1}, {1.0f}, {}}, -8);
  for (const FloatType format : {FloatType::kBfloat16, FloatType::kFloat16}) {
    const int infinity = format == FloatType::kBfloat16 ? 0x7F80 : 0x7C00;
    std::vector<std::uint16_t> x;
    for (int bits = 0; bits < 0x10000; ++bits)
      if ((bits & 0x7FFF) < infinity) x.push_back(static_cast<std::uint16_t>(bits));
    for (const auto& entry : under_test(gemm_float_int4)) {
      std::vector<float> y(x.size());
      entry.run({x.data(), format, 1, weights.packed(), {y.data(), 1}}, 0, std::ssize(x), 0, 1);
      for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_EQ(y[i], decoded(x[i], format)) << entry.name << " " << x[i];
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
