// kernels/matmul/float_gemm.h against the oracle: every implementation, any cut into regions, and what
// another order or a second rounding would change.
#include "kernels/matmul/float_gemm.h"

#include <cmath>
#include <limits>

#include "kernels/common/aligned_vector.h"
#include "tests/float_oracle.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class FloatGemm : public KernelTest {};

struct Product {
  std::int64_t m, n, k;
  std::vector<float> a, b, bias, channel_scale;  // b: [n][k]; the others: empty, n or m
  bool channels_are_rows = false;
};

Product random_product(Random& random, std::int64_t m, std::int64_t n, std::int64_t k,
                       float magnitude = 2.0f) {
  Product product{m,  n, k, random_floats(random, m * k, magnitude), random_floats(random, n * k, 1.0f),
                  {}, {}};
  product.channels_are_rows = random_int(random, 0, 1) == 1;
  const std::int64_t channels = product.channels_are_rows ? m : n;
  if (random_int(random, 0, 2) != 0) product.bias = random_floats(random, channels, 3.0f);
  if (random_int(random, 0, 1) != 0) product.channel_scale = random_floats(random, channels, 2.0f);
  return product;
}

std::vector<float> expected(const Product& p) {
  if (!p.channels_are_rows) return oracle::float_linear(p.a, p.b, p.n, p.k, p.bias, p.channel_scale);
  std::vector<float> y = oracle::float_linear(p.a, p.b, p.n, p.k, {});
  for (std::int64_t i = 0; i < p.m * p.n; ++i)
    y[i] = oracle::float_epilogue(y[i], p.bias, p.channel_scale, i / p.n);
  return y;
}

AlignedVector<float> packed_b(const Product& p) {
  AlignedVector<float> packed(static_cast<std::size_t>(packed_float_size(p.n, p.k)), 7.0f);
  pack_float_b(p.b.data(), p.n, p.k, packed.data(), 0, p.n);
  return packed;
}

template <class Entry>
std::string difference(const Entry& entry, const Product& p, const std::vector<GemmRegion>& regions) {
  const AlignedVector<float> packed = packed_b(p);
  const Unaligned<float> a(p.a, 1), bias(p.bias, 3), channel_scale(p.channel_scale, 1);
  Guarded<float> y(p.m * p.n, 1);
  const FloatGemmArgs args{a.data(),
                           p.k,
                           packed.data(),
                           p.n,
                           p.k,
                           p.bias.empty() ? nullptr : bias.data(),
                           p.channels_are_rows,
                           y.data(),
                           p.n,
                           p.channel_scale.empty() ? nullptr : channel_scale.data()};
  for (const GemmRegion& region : regions) entry.run(args, region);
  EXPECT_TRUE(y.guards_untouched());
  return first_difference(y.values(), expected(p));
}

TEST_F(FloatGemm, GivesTheBitsOfTheContractForSizesAroundTilesAndBlocks) {
  Random random(1);
  for (const auto& entry : under_test(float_gemm)) {
    for (const std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 13})
      for (const std::int64_t n : {1, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100})
        for (const std::int64_t k : {0, 1, 7, 40}) {
          SCOPED_TRACE(testing::Message() << entry.name << ": m " << m << ", n " << n << ", k " << k);
          const Product p = random_product(random, m, n, k);
          if (k != 0) {
            EXPECT_EQ(difference(entry, p, {{0, m, 0, n}}), "");
          }
        }
    for (const auto& [m, n, k] : {std::array{7, 530, 1300}, std::array{3, 20, 512}, std::array{14, 40, 513}})
      EXPECT_EQ(difference(entry, random_product(random, m, n, k), {{0, m, 0, n}}), "") << entry.name;
  }
}

TEST_F(FloatGemm, AProductOfNoDepthIsTheBias) {
  for (const auto& entry : under_test(float_gemm)) {
    const float bias[] = {1.5f, -2.0f, 0.25f};
    Guarded<float> y(6);
    entry.run({nullptr, 0, nullptr, 3, 0, bias, false, y.data(), 3}, {0, 2, 0, 3});
    EXPECT_EQ(y.values(), (std::vector<float>{1.5f, -2.0f, 0.25f, 1.5f, -2.0f, 0.25f})) << entry.name;
  }
}

TEST_F(FloatGemm, AnyCutIntoRegionsInAnyOrderGivesTheSameBits) {
  Random random(2);
  for (const auto& entry : under_test(float_gemm)) {
    for (int round = 0; round < 20; ++round) {
      const std::int64_t m = random_int(random, 1, 30), n = random_int(random, 1, 200),
                         k = random_int(random, 1, 90);
      std::vector<GemmRegion> regions;
      for (const auto& [first_row, last_row] : random_pieces(random, m, 1))
        for (const auto& [first, last] : random_pieces(random, n, kColumnBlock))
          regions.push_back({first_row, last_row, first, last});
      std::shuffle(regions.begin(), regions.end(), random);
      EXPECT_EQ(difference(entry, random_product(random, m, n, k), regions), "") << entry.name;
    }
  }
}

TEST_F(FloatGemm, WritesItsRegionAndNothingElse) {
  Random random(3);
  for (const auto& entry : under_test(float_gemm)) {
    const Product p = random_product(random, 4, 50, 9);
    const AlignedVector<float> packed = packed_b(p);
    Guarded<float> y(4 * 60);
    entry.run({p.a.data(), 9, packed.data(), 50, 9, nullptr, false, y.data(), 60}, {2, 3, 32, 50});
    EXPECT_TRUE(y.untouched_outside(2 * 60 + 32, 2 * 60 + 50)) << entry.name;
  }
}

TEST_F(FloatGemm, HasOneNaNAndKeepsInfinitiesDenormalsAndSignsOfZero) {
  const float kInf = std::numeric_limits<float>::infinity(), kNaN = std::bit_cast<float>(0xFFC12345u);
  const struct {
    const char* why;
    std::vector<float> a, b, bias;
  } kCases[] = {
      {"a NaN of any payload", {1, kNaN}, {1, 1}, {}},
      {"a NaN in the bias", {1, 2}, {1, 1}, {kNaN}},
      {"infinity minus infinity", {kInf, kInf}, {1, -1}, {}},
      {"infinity minus infinity, of the bias", {kInf, 1}, {1, 1}, {-kInf}},
      {"zero times infinity", {0, 1}, {kInf, 1}, {}},
      {"an infinity stays", {kInf, 1}, {-1, 1}, {3}},
      {"a sum that overflows only when rounded twice", {0x1.fffffep+127f, 0x1p+104f}, {1, -0x1p-2f}, {}},
      {"denormals add up", {0x1p-149f, 0x1p-149f}, {1, 1}, {}},
      {"a product below every denormal", {-0x1p-100f, 0}, {0x1p-100f, 1}, {}},
      {"minus zero stays behind a product that vanished", {-0x1p-100f, -0.0f}, {0x1p-100f, 1}, {}},
      {"zeros of both signs give +0", {-0.0f, -0.0f}, {1, 1}, {}},
      {"a bias of -0", {0, 0}, {1, 1}, {-0.0f}},
  };
  for (const auto& entry : under_test(float_gemm))
    for (const auto& c : kCases) {
      SCOPED_TRACE(testing::Message() << entry.name << ": " << c.why);
      EXPECT_EQ(difference(entry, {1, 1, 2, c.a, c.b, c.bias}, {{0, 1, 0, 1}}), "");
    }
}

TEST_F(FloatGemm, AnotherOrderOrASecondRoundingWouldShowInTheseTests) {
  Random random(4);
  const Product p = random_product(random, 8, 40, 300);
  const std::vector<float> right = oracle::float_linear(p.a, p.b, p.n, p.k, {});
  std::int64_t descending = 0, twice = 0;
  for (std::int64_t i = 0; i < p.m * p.n; ++i) {
    const float *a = p.a.data() + i / p.n * p.k, *b = p.b.data() + i % p.n * p.k;
    float back = 0, rounded = 0;
    for (std::int64_t q = p.k - 1; q >= 0; --q) back = oracle::fma(a[q], b[q], back);
    for (std::int64_t q = 0; q < p.k; ++q) rounded = oracle::add(oracle::multiply(a[q], b[q]), rounded);
    descending += bits(back) != bits(right[i]);
    twice += bits(rounded) != bits(right[i]);
  }
  EXPECT_GT(descending, 100);
  EXPECT_GT(twice, 100);
}

TEST_F(FloatGemm, TheOraclesFusedMultiplyAddIsTheCLibrarys) {
  Random random(5);
  const auto any_float = [&] { return std::bit_cast<float>(static_cast<std::uint32_t>(random())); };
  for (int i = 0; i < 300000; ++i) {
    const float a = any_float(), b = any_float();
    // Near -a·b the sum cancels; elsewhere magnitudes rarely meet.
    const float c = i % 2 == 0 ? any_float() : -a * b * (1 + static_cast<float>(i % 7) * 0x1p-23f);
    if (std::isnan(a) || std::isnan(b) || std::isnan(c)) continue;
    ASSERT_EQ(bits(oracle::one_nan(oracle::fma(a, b, c))), bits(oracle::one_nan(std::fma(a, b, c))))
        << std::hexfloat << a << ' ' << b << ' ' << c;
  }
}

TEST_F(FloatGemm, PacksARowOfWeightsAsAColumnAndPadsWithZeros) {
  Random random(6);
  const std::int64_t n = 21, k = 35;
  const std::vector<float> rows = random_floats(random, n * k, 1.0f);
  Guarded<float> packed(packed_float_size(n, k));
  pack_float_b(rows.data(), n, k, packed.data(), 16, n);
  pack_float_b(rows.data(), n, k, packed.data(), 0, 16);
  const std::vector<float> values = packed.values();
  for (std::int64_t column = 0; column < 32; ++column)
    for (std::int64_t p = 0; p < k; ++p)
      ASSERT_EQ(values[column / 16 * 16 * k + p * 16 + column % 16],
                column < n ? rows[column * k + p] : 0.0f);
  EXPECT_TRUE(packed.guards_untouched());
}

}  // namespace
}  // namespace samebits::kernels
