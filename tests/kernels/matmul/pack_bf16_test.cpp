// kernels/common/bf16.h and kernels/matmul/pack_bf16.h: the layouts and roundings of the operands of
// gemm_bf16, to the bit.
#include "kernels/matmul/pack_bf16.h"

#include <cmath>
#include <limits>

#include "kernels/matmul/gemm_bf16.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class PackBf16 : public KernelTest {};

using Halves = std::vector<Bf16>;

TEST(Bf16, RoundsHalfToEvenAndKeepsWhatIsNotFinite) {
  struct Case {
    const char* why;
    float value;
    Bf16 expected;
  };
  const float infinity = std::numeric_limits<float>::infinity();
  const Case cases[] = {
      {"exact", 1.0f, 0x3F80},
      {"a tie goes to the even fraction below", 0x1.01p0f, 0x3F80},
      {"a tie goes to the even fraction above", 0x1.03p0f, 0x3F82},
      {"just above a tie", 0x1.010002p0f, 0x3F81},
      {"just below a tie", 0x1.00fffep0f, 0x3F80},
      {"the sign is kept", -0x1.03p0f, 0xBF82},
      {"negative zero", -0.0f, 0x8000},
      {"the largest float overflows", std::numeric_limits<float>::max(), 0x7F80},
      {"infinity", -infinity, 0xFF80},
      {"the smallest denormal rounds to 0", 0x1p-149f, 0x0000},
      {"a denormal that bfloat16 has", 0x1p-133f, 0x0001},
      {"a denormal that rounds to a normal number", 0x1.fffffp-127f, 0x0080},
      {"quiet NaN", std::bit_cast<float>(0x7FC00000u), 0x7FC0},
      {"a NaN whose payload lies in the lower half stays NaN", std::bit_cast<float>(0x7F800001u), 0x7FC0},
      {"a negative NaN with the largest payload", std::bit_cast<float>(0xFFFFFFFFu), 0xFFFF},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(to_bf16(c.value), c.expected) << c.why;
    const float back = from_bf16(c.expected), oracle_value = oracle::to_bf16(c.value);
    if (!std::isnan(c.value)) {
      EXPECT_EQ(bits(back), bits(oracle_value)) << c.why;
    }
  }
}

TEST(Bf16, MatchesTheOracleOnEvery1013thOfAllFloats) {
  for (std::uint64_t pattern = 0; pattern <= 0xFFFFFFFFu; pattern += 1013) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
    if (std::isnan(value)) continue;
    ASSERT_EQ(bits(from_bf16(to_bf16(value))), bits(oracle::to_bf16(value))) << std::hexfloat << value;
  }
}

/// A gradient with ties, tiny and huge values, infinities and NaN among ordinary ones.
std::vector<float> random_gradient(Random& random, std::int64_t n) {
  const float special[] = {0x1.01p0f,
                           -0x1.03p0f,
                           0x1p-140f,
                           3e38f,
                           -0.0f,
                           std::numeric_limits<float>::infinity(),
                           std::bit_cast<float>(0x7F800001u),
                           1e-38f};
  std::vector<float> values = random_floats(random, n, 1.0f);
  for (float& value : values)
    if (random() % 8 == 0) value = special[random() % std::size(special)];
  return values;
}

struct GradientCase {
  std::int64_t m, n;
  std::int64_t scale_count;
};

/// What pack_gradient must make, by the oracle: [m][n] reals, then packed.
struct ExpectedGradient {
  Halves for_grad_x, for_grad_weight;
  std::vector<float> block_sums;

  ExpectedGradient(const GradientCase& c, const std::vector<float>& g, const std::vector<float>& scale) {
    std::vector<float> scaled(g.size()), transposed(g.size());
    for (std::int64_t i = 0; i < c.m * c.n; ++i) {
      const std::int64_t row = i / c.n, column = i % c.n;
      scaled[i] = oracle::multiply(g[i], c.scale_count == 0 ? 1.0f : scale[column % c.scale_count]);
      transposed[column * c.m + row] = g[i];
    }
    for_grad_x = oracle::pack_bf16_a(scaled, c.m, c.n);
    for_grad_weight = oracle::pack_bf16_a(transposed, c.n, c.m);
    block_sums = oracle::block_sums(g, c.m, c.n);
  }
};

/// NaNs are compared as NaNs: which payload an addition keeps is not part of the contract.
template <class T>
std::vector<T> with_one_nan(std::vector<T> values) {
  for (T& value : values) {
    if constexpr (sizeof(T) == 2) {
      if (std::isnan(from_bf16(value))) value = 0x7FC0;
    } else {
      if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
    }
  }
  return values;
}

void expect_packed_gradient(Random& random, const GradientCase& c) {
  const Unaligned<float> g(random_gradient(random, c.m * c.n), 1);
  const std::vector<float> scale = random_floats(random, c.scale_count, 0.1f);
  const ExpectedGradient expected(c, {g.data(), g.data() + c.m * c.n}, scale);
  for (const auto& entry : under_test(pack_gradient)) {
    SCOPED_TRACE(testing::Message() << entry.name << ": " << c.m << " x " << c.n << ", scales "
                                    << c.scale_count);
    Guarded<Bf16> for_grad_x(packed_bf16_size(c.m, c.n)), for_grad_weight(packed_bf16_size(c.n, c.m));
    Guarded<float> block_sums(sum_blocks(c.m) * c.n);
    const PackGradientArgs args{g.data(),
                                c.m,
                                c.n,
                                c.scale_count == 0 ? nullptr : scale.data(),
                                c.scale_count,
                                for_grad_x.data(),
                                for_grad_weight.data(),
                                block_sums.data()};
    auto pieces = random_pieces(random, c.m, kSumRows);
    std::reverse(pieces.begin(), pieces.end());
    for (const auto& [begin, end] : pieces) entry.run(args, begin, end);
    ASSERT_EQ(first_difference(with_one_nan(for_grad_x.values()), with_one_nan(expected.for_grad_x)), "");
    ASSERT_EQ(
        first_difference(with_one_nan(for_grad_weight.values()), with_one_nan(expected.for_grad_weight)), "");
    ASSERT_EQ(first_difference(with_one_nan(block_sums.values()), with_one_nan(expected.block_sums)), "");
    ASSERT_TRUE(for_grad_x.guards_untouched() && for_grad_weight.guards_untouched() &&
                block_sums.guards_untouched());
  }
}

TEST_F(PackBf16, GradientIsScaledRoundedTransposedAndSummedInOnePass) {
  Random random(11);
  for (const std::int64_t m : {1, 31, 32, 33, 64, 65, 97, 200})
    for (const std::int64_t n : {1, 7, 10, 16, 31, 32, 33, 40, 64, 100})
      expect_packed_gradient(random, {m, n, m % 2 == 0 ? n : m % 3 == 0 ? 0 : 1});
}

TEST_F(PackBf16, GradientMakesOnlyWhatIsWanted) {
  Random random(12);
  const std::int64_t m = 65, n = 40;
  const std::vector<float> g = random_floats(random, m * n, 1.0f);
  const ExpectedGradient expected({m, n, 0}, g, {});
  for (const auto& entry : under_test(pack_gradient)) {
    Halves for_grad_x(packed_bf16_size(m, n)), for_grad_weight(packed_bf16_size(n, m));
    std::vector<float> block_sums(sum_blocks(m) * n);
    entry.run({g.data(), m, n, nullptr, 0, for_grad_x.data(), nullptr, nullptr}, 0, m);
    entry.run({g.data(), m, n, nullptr, 0, nullptr, for_grad_weight.data(), nullptr}, 0, m);
    entry.run({g.data(), m, n, nullptr, 0, nullptr, nullptr, block_sums.data()}, 0, m);
    EXPECT_EQ(first_difference(for_grad_x, expected.for_grad_x), "") << entry.name;
    EXPECT_EQ(first_difference(for_grad_weight, expected.for_grad_weight), "") << entry.name;
    EXPECT_EQ(first_difference(block_sums, expected.block_sums), "") << entry.name;
  }
}

struct CodesCase {
  std::int64_t depth, columns;
  std::int32_t zero_point;
  std::int64_t group_size;  // 0: no scales
};

void expect_packed_codes(Random& random, const CodesCase& c) {
  const std::vector<std::int8_t> codes = random_codes(random, c.depth * c.columns);
  const std::int64_t groups = c.group_size == 0 ? 0 : (c.columns + c.group_size - 1) / c.group_size;
  const std::vector<float> scale = random_floats(random, groups * c.depth, 0.1f);
  std::vector<float> reals(codes.size());
  for (std::int64_t i = 0; i < c.depth * c.columns; ++i) {
    reals[i] = static_cast<float>(codes[i] - c.zero_point);
    if (groups > 0)
      reals[i] = oracle::multiply(reals[i], scale[i % c.columns / c.group_size * c.depth + i / c.columns]);
  }
  const Halves expected = oracle::pack_bf16_b(reals, c.depth, c.columns);
  const Unaligned<std::int8_t> row_major(codes, 1);
  for (const auto& entry : under_test(pack_codes)) {
    Guarded<Bf16> packed(packed_bf16_size(c.columns, c.depth));
    const PackCodesArgs args{.codes = row_major.data(),
                             .depth = c.depth,
                             .columns = c.columns,
                             .zero_point = c.zero_point,
                             .scale = groups == 0 ? nullptr : scale.data(),
                             .group_size = c.group_size,
                             .packed = packed.data()};
    auto pieces = random_pieces(random, c.depth, kBf16Block);
    std::reverse(pieces.begin(), pieces.end());
    for (const auto& [begin, end] : pieces) entry.run(args, begin, end);
    ASSERT_EQ(first_difference(packed.values(), expected), "")
        << entry.name << ": " << c.depth << " x " << c.columns << ", zero point " << c.zero_point
        << ", groups of " << c.group_size;
    ASSERT_TRUE(packed.guards_untouched()) << entry.name;
  }
}

TEST_F(PackBf16, CodesLoseTheirZeroPointAndStayExact) {
  Random random(13);
  for (const std::int64_t depth : {1, 2, 15, 31, 32, 33, 64, 100})
    for (const std::int64_t columns : {1, 3, 15, 16, 17, 32, 48, 63, 100})
      for (const std::int32_t zero_point : {0, -128, 127})
        expect_packed_codes(random, {depth, columns, zero_point, 0});
}

TEST_F(PackBf16, CodesWithGroupsBecomeRoundedRealWeights) {
  Random random(14);
  for (const std::int64_t group_size : {4, 12, 16, 32, 64, 128})
    for (const std::int64_t columns : {20, 64, 100, 130})
      expect_packed_codes(random, {65, columns, 0, group_size});
}

}  // namespace
}  // namespace samebits::kernels
