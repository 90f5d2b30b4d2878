// What every implementation of gemm_int8 relies on: how threads cut a product, and where a packed code
// stands.
#include <algorithm>

#include "kernels/matmul/gemm_int8.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

TEST(GemmRegions, TheRegionsOfAllPartsCoverEachElementOnce) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::int64_t m = random_int(random, 1, 300), n = random_int(random, 1, 700),
                       parts = random_int(random, 1, 9);
    std::vector<int> covered(m * n);
    for (std::int64_t part = 0; part < parts; ++part) {
      const GemmRegion r = gemm_region(m, n, part, parts);
      ASSERT_EQ(r.column_begin % kColumnBlock, 0);
      ASSERT_TRUE(r.column_end == n || r.column_end % kColumnBlock == 0);
      for (std::int64_t row = r.row_begin; row < r.row_end; ++row)
        for (std::int64_t column = r.column_begin; column < r.column_end; ++column)
          ++covered[row * n + column];
    }
    ASSERT_EQ(std::count(covered.begin(), covered.end(), 1), m * n) << m << " x " << n << " in " << parts;
  }
}

TEST(PackGemmB, PutsEachCodeInItsQuadAndZerosInThePadding) {
  Random random(2);
  for (const auto& [n, k] : {std::pair{1, 1}, {16, 4}, {17, 3}, {40, 7}, {33, 64}, {70, 129}}) {
    const std::vector<std::int8_t> codes = random_codes(random, n * k, 1, 127);  // no zero of their own
    std::vector<std::int8_t> expected;
    for (std::int64_t block = 0; block < padded_columns(n); block += 16)
      for (std::int64_t quad = 0; quad < padded_depth(k); quad += 4)
        for (std::int64_t row = block; row < block + 16; ++row)
          for (std::int64_t column = quad; column < quad + 4; ++column)
            expected.push_back(row < n && column < k ? codes[row * k + column] : std::int8_t{0});
    ASSERT_EQ(packed_size(n, k), std::ssize(expected));
    Guarded<std::int8_t> packed(packed_size(n, k));
    auto pieces = random_pieces(random, n, kColumnBlock);
    std::shuffle(pieces.begin(), pieces.end(), random);
    for (const auto& [begin, end] : pieces) pack_gemm_b(codes.data(), n, k, packed.data(), begin, end);
    EXPECT_EQ(first_difference(packed.values(), expected), "") << n << " x " << k;
    EXPECT_TRUE(packed.guards_untouched()) << n << " x " << k;
  }
}

}  // namespace
}  // namespace samebits::kernels
