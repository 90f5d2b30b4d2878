// kernels/quantize/column_sums.h: column sums in their one order, and what is written where.
#include "kernels/quantize/column_sums.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class ColumnSums : public KernelTest {};

TEST_F(ColumnSums, AreSummedInBlocksWhateverTheCut) {
  Random random(1);
  for (const std::int64_t m : {1, 2, 63, 64, 65, 128, 300}) {
    for (const std::int64_t n : {1, 7, 8, 15, 16, 17, 24, 33, 100}) {
      const Unaligned<float> g(random_floats(random, m * n, 1.0f), 1);
      const std::vector<float> expected = oracle::block_sums({g.data(), g.data() + m * n}, m, n);
      for (const auto& entry : under_test(sum_columns)) {
        SCOPED_TRACE(testing::Message() << entry.name << ": " << m << " x " << n);
        Guarded<float> block_sums(sum_blocks(m) * n, 3);
        auto pieces = random_pieces(random, m, kSumRows);
        std::reverse(pieces.begin(), pieces.end());
        for (const auto& [begin, end] : pieces) entry.run({g.data(), m, n, block_sums.data()}, begin, end);
        ASSERT_EQ(first_difference(block_sums.values(), expected), "");
        ASSERT_TRUE(block_sums.guards_untouched());
      }
    }
  }
}

TEST_F(ColumnSums, BlocksAreAddedAscendingWhateverTheCut) {
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

TEST_F(ColumnSums, OfNoRowsAreZero) {
  std::vector<float> sums(5, 7.0f);
  add_block_sums(nullptr, 0, 5, sums.data(), 0, 5);
  EXPECT_EQ(sums, std::vector<float>(5, 0.0f));
}

// Rows summed in another order give other bits: the tests above hold the order.
TEST_F(ColumnSums, AnotherOrderWouldShowInTheseTests) {
  Random random(4);
  const std::vector<float> g = random_floats(random, 64 * 100, 1.0f);
  std::vector<float> backwards(100, 0.0f);
  for (std::int64_t i = std::ssize(g) - 1; i >= 0; --i)
    backwards[i % 100] = oracle::add(backwards[i % 100], g[i]);
  EXPECT_NE(first_difference(backwards, oracle::block_sums(g, 64, 100)), "");
}

}  // namespace
}  // namespace samebits::kernels
