// kernels/quantize/gradient.h: the relu mask, column sums in their one order, and what is written where.
#include "kernels/quantize/gradient.h"

#include <limits>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class Gradient : public KernelTest {};

std::vector<std::uint8_t> random_mask(Random& random, std::int64_t m, std::int64_t n) {
  std::vector<std::uint8_t> mask(m * ((n + 7) / 8));
  for (auto& byte : mask) byte = static_cast<std::uint8_t>(random());
  return mask;
}

std::vector<float> masked(const std::vector<float>& g, const std::vector<std::uint8_t>& mask,
                          std::int64_t n) {
  std::vector<float> result = g;
  for (std::int64_t i = 0; i < std::ssize(g); ++i)
    if ((mask[i / n * ((n + 7) / 8) + i % n / 8] >> (i % n % 8) & 1) != 0) result[i] = 0.0f;
  return result;
}

TEST_F(Gradient, MasksAndSumsInOnePassWhateverTheCut) {
  Random random(1);
  for (const std::int64_t m : {1, 2, 63, 64, 65, 128, 300}) {
    for (const std::int64_t n : {1, 7, 8, 15, 16, 17, 24, 33, 100}) {
      const std::vector<float> g = random_floats(random, m * n, 1.0f);
      const std::vector<std::uint8_t> mask = random_mask(random, m, n);
      for (const bool has_mask : {false, true}) {
        const std::vector<float> expected = has_mask ? masked(g, mask, n) : g;
        for (const auto& entry : under_test(mask_and_sum)) {
          SCOPED_TRACE(testing::Message() << entry.name << ": " << m << " x " << n << ", mask " << has_mask);
          Guarded<float> result(m * n, 1), block_sums(sum_blocks(m) * n, 3);
          auto pieces = random_pieces(random, m, kSumRows);
          std::reverse(pieces.begin(), pieces.end());
          for (const auto& [begin, end] : pieces)
            entry.run({g.data(), m, n, has_mask ? mask.data() : nullptr, result.data(), block_sums.data()},
                      begin, end);
          ASSERT_EQ(first_difference(result.values(), expected), "");
          ASSERT_EQ(first_difference(block_sums.values(), oracle::block_sums(expected, m, n)), "");
          ASSERT_TRUE(result.guards_untouched() && block_sums.guards_untouched());
        }
      }
    }
  }
}

TEST_F(Gradient, MasksInPlaceAndMakesOnlyWhatIsWanted) {
  Random random(2);
  const std::int64_t m = 70, n = 37;
  const std::vector<float> g = random_floats(random, m * n, 1.0f);
  const std::vector<std::uint8_t> mask = random_mask(random, m, n);
  const std::vector<float> expected = masked(g, mask, n);
  for (const auto& entry : under_test(mask_and_sum)) {
    std::vector<float> in_place = g, block_sums(sum_blocks(m) * n);
    entry.run({in_place.data(), m, n, mask.data(), in_place.data(), nullptr}, 0, m);
    EXPECT_EQ(first_difference(in_place, expected), "") << entry.name;
    entry.run({g.data(), m, n, mask.data(), nullptr, block_sums.data()}, 0, m);
    EXPECT_EQ(first_difference(block_sums, oracle::block_sums(expected, m, n)), "") << entry.name;
  }
}

TEST_F(Gradient, AMaskedElementIsZeroWhateverItWasAndOthersKeepTheirBits) {
  const float special[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                           -0.0f, 0x1p-149f};
  for (const auto& entry : under_test(mask_and_sum)) {
    for (const float value : special) {
      const std::vector<float> g(2 * 19, value);
      const std::vector<std::uint8_t> mask = {0xFF, 0xFF, 0xFF, 0, 0, 0};
      std::vector<float> result(2 * 19);
      entry.run({g.data(), 2, 19, mask.data(), result.data(), nullptr}, 0, 2);
      for (int i = 0; i < 38; ++i)
        EXPECT_EQ(bits(result[i]), i < 19 ? 0u : bits(value)) << entry.name << ", " << i;
    }
  }
}

TEST_F(Gradient, BlocksAreAddedAscendingWhateverTheCut) {
  Random random(3);
  const std::int64_t blocks = 9, n = 50;
  const std::vector<float> block_sums = random_floats(random, blocks * n, 1.0f);
  std::vector<float> expected(n, 0.0f);
  for (std::int64_t i = 0; i < blocks * n; ++i) expected[i % n] = oracle::add(expected[i % n], block_sums[i]);
  Guarded<float> sums(n);
  for (const auto& [begin, end] : random_pieces(random, n, 1))
    add_block_sums(block_sums.data(), blocks, n, sums.data(), begin, end);
  EXPECT_EQ(first_difference(sums.values(), expected), "");
  EXPECT_TRUE(sums.guards_untouched());
}

TEST_F(Gradient, SumsOfNoRowsAreZero) {
  std::vector<float> sums(5, 7.0f);
  add_block_sums(nullptr, 0, 5, sums.data(), 0, 5);
  EXPECT_EQ(sums, std::vector<float>(5, 0.0f));
}

// Rows summed in another order give other bits: the tests above hold the order.
TEST_F(Gradient, AnotherOrderWouldShowInTheseTests) {
  Random random(4);
  const std::vector<float> g = random_floats(random, 64 * 100, 1.0f);
  std::vector<float> backwards(100, 0.0f);
  for (std::int64_t i = std::ssize(g) - 1; i >= 0; --i)
    backwards[i % 100] = oracle::add(backwards[i % 100], g[i]);
  EXPECT_NE(first_difference(backwards, oracle::block_sums(g, 64, 100)), "");
}

}  // namespace
}  // namespace samebits::kernels
