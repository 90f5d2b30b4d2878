// kernels/gemm_int8.h against int64 sums: every tail of every size, parts of k and of the rows, extreme
// codes.
#include "kernels/gemm_int8.h"

#include <gmock/gmock.h>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class GemmInt8 : public KernelTest {};

/// Matrices of one product; the packed one is made as the caller of the kernel makes it.
struct Matrices {
  std::int64_t m, n, k, a_stride;
  std::vector<std::int8_t> a, b;
  std::vector<std::int16_t> packed;

  Matrices(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t a_stride, std::vector<std::int8_t> a,
           std::vector<std::int8_t> b)
      : m(m), n(n), k(k), a_stride(a_stride), a(std::move(a)), b(std::move(b)), packed(packed_size(n, k)) {
    pack_gemm_b(this->b.data(), n, k, packed.data());
  }
  GemmInt8Args args(std::int32_t* accumulators, std::int64_t k_begin, std::int64_t k_end) const {
    return {a.data(), a_stride, packed.data(), accumulators, n, k, k_begin, k_end};
  }
  /// The sums in int64, which must fit int32, with zeros in the padding columns.
  std::vector<std::int32_t> expected(std::int64_t k_begin, std::int64_t k_end) const {
    std::vector<std::int32_t> sums;
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < padded_columns(n); ++column) {
        std::int64_t sum = 0;
        for (std::int64_t i = k_begin; column < n && i < k_end; ++i)
          sum += std::int64_t{a[row * a_stride + i]} * b[column * k + i];
        EXPECT_EQ(sum, static_cast<std::int32_t>(sum));
        sums.push_back(static_cast<std::int32_t>(sum));
      }
    }
    return sums;
  }
};

Matrices random_matrices(Random& random, std::int64_t m, std::int64_t n, std::int64_t k,
                         std::int64_t a_stride) {
  return {m, n, k, a_stride, random_codes(random, m * a_stride), random_codes(random, n * k)};
}

void expect_sums(const Matrices& matrices, std::int64_t k_begin, std::int64_t k_end) {
  const std::vector<std::int32_t> expected = matrices.expected(k_begin, k_end);
  for (const auto& entry : under_test(gemm_int8_implementations())) {
    Guarded<std::int32_t> accumulators(std::ssize(expected));
    entry.run(matrices.args(accumulators.data(), k_begin, k_end), 0, matrices.m);
    ASSERT_EQ(first_difference(accumulators.values(), expected), "")
        << entry.name << ": m " << matrices.m << ", n " << matrices.n << ", k [" << k_begin << ", " << k_end
        << ")";
    ASSERT_TRUE(accumulators.guards_untouched()) << entry.name;
  }
}

TEST_F(GemmInt8, IsExactForEveryDepthFrom1To40) {
  Random random(1);
  for (std::int64_t k = 1; k <= 40; ++k)
    for (const auto& [m, n] : {std::pair{1, 1}, {2, 16}, {3, 17}, {5, 31}, {6, 33}, {13, 40}})
      expect_sums(random_matrices(random, m, n, k, k), 0, k);
}

TEST_F(GemmInt8, IsExactForEveryNumberOfRowsAndColumnsFrom1To40) {
  Random random(2);
  for (std::int64_t m = 1; m <= 40; ++m)
    for (std::int64_t n = 1; n <= 40; ++n) expect_sums(random_matrices(random, m, n, 7, 7), 0, 7);
}

TEST_F(GemmInt8, IsExactBeyondOneChunkOfDepth) {
  Random random(3);
  for (const std::int64_t k : {1023, 1024, 1025, 1026, 2047, 2049, 3001})
    expect_sums(random_matrices(random, 7, 17, k, k), 0, k);
}

TEST_F(GemmInt8, SumsOnlyThePartOfTheDepthThatIsAskedFor) {
  Random random(4);
  for (const std::int64_t k : {10, 33, 2051}) {
    const Matrices matrices = random_matrices(random, 7, 18, k, k);
    for (int round = 0; round < 20; ++round) {
      const std::int64_t begin = 2 * random_int(random, 0, k / 2);
      const std::int64_t end = begin + 2 * random_int(random, 0, (k - begin) / 2);
      expect_sums(matrices, begin, end);
      expect_sums(matrices, begin, k);
    }
  }
}

TEST_F(GemmInt8, ASumOfNothingIsZero) {
  Random random(5);
  expect_sums(random_matrices(random, 7, 17, 8, 8), 4, 4);
}

TEST_F(GemmInt8, ReadsRowsThatStandApart) {
  Random random(6);
  for (const std::int64_t gap : {1, 2, 13}) expect_sums(random_matrices(random, 13, 20, 21, 21 + gap), 0, 21);
}

TEST_F(GemmInt8, ReadsNothingPastTheLastRow) {
  Random random(7);
  for (const std::int64_t k : {1, 7, 15, 33}) {
    Matrices matrices = random_matrices(random, 3, 5, k, k);
    const Unaligned<std::int8_t> a(matrices.a, 1);  // AddressSanitizer watches its end
    GemmInt8Args args = matrices.args(nullptr, 0, k);
    args.a = a.data();
    for (const auto& entry : under_test(gemm_int8_implementations())) {
      std::vector<std::int32_t> accumulators(3 * padded_columns(5));
      args.accumulators = accumulators.data();
      entry.run(args, 0, 3);
      EXPECT_EQ(first_difference(accumulators, matrices.expected(0, k)), "") << entry.name;
    }
  }
}

// 66311 is max_depth of int8 activations and narrow weights; -128 * -128 is the largest product that codes
// can make, and a pair of it, 2^15, no longer fits 16 bits.
TEST_F(GemmInt8, HoldsTheLargestSumsOfTheLargestDepth) {
  const std::int64_t k = 66311, n = 3, m = 3;
  struct Case {
    const char* why;
    int a, b;
  };
  for (const Case& c : {Case{"both lowest", -128, -128}, Case{"lowest times highest", -128, 127},
                        Case{"highest times lowest", 127, -128}, Case{"both highest", 127, 127}}) {
    SCOPED_TRACE(c.why);
    expect_sums({m, n, k, k, std::vector<std::int8_t>(m * k, static_cast<std::int8_t>(c.a)),
                 std::vector<std::int8_t>(n * k, static_cast<std::int8_t>(c.b))},
                0, k);
  }
}

TEST_F(GemmInt8, WritesTheRowsThatAreAskedForAndNoOthers) {
  Random random(8);
  const std::int64_t m = 15, n = 19, k = 9, columns = padded_columns(n);
  const Matrices matrices = random_matrices(random, m, n, k, k);
  const std::vector<std::int32_t> expected = matrices.expected(0, k);
  for (std::int64_t begin = 0; begin <= m; ++begin) {
    for (std::int64_t end = begin; end <= m; ++end) {
      const std::vector<std::int32_t> part(expected.begin() + begin * columns,
                                           expected.begin() + end * columns);
      for (const auto& entry : under_test(gemm_int8_implementations())) {
        Guarded<std::int32_t> accumulators(m * columns, 1);
        entry.run(matrices.args(accumulators.data(), 0, k), begin, end);
        ASSERT_EQ(first_difference(accumulators.values(begin * columns, end * columns), part), "")
            << entry.name;
        ASSERT_TRUE(accumulators.untouched_outside(begin * columns, end * columns)) << entry.name;
      }
    }
  }
}

TEST_F(GemmInt8, TheDispatchedKernelGivesTheSameSums) {
  Random random(9);
  const Matrices matrices = random_matrices(random, 20, 50, 301, 301);
  std::vector<std::int32_t> accumulators(20 * padded_columns(50));
  gemm_int8(matrices.args(accumulators.data(), 0, 301), 0, 20);
  EXPECT_EQ(first_difference(accumulators, matrices.expected(0, 301)), "");
}

TEST(PackGemmB, PutsEachCodeInItsPairAndZerosInThePadding) {
  Random random(10);
  for (const auto& [n, k] : {std::pair{1, 1}, {16, 2}, {17, 3}, {40, 7}}) {
    const std::vector<std::int8_t> codes = random_codes(random, n * k, 1, 127);  // no zero of their own
    std::vector<std::int16_t> expected;
    for (std::int64_t block = 0; block < padded_columns(n); block += 16)
      for (std::int64_t pair = 0; pair < padded_depth(k); pair += 2)
        for (std::int64_t row = block; row < block + 16; ++row)
          for (std::int64_t column = pair; column < pair + 2; ++column)
            expected.push_back(row < n && column < k ? codes[row * k + column] : std::int16_t{0});
    ASSERT_EQ(packed_size(n, k), std::ssize(expected));
    Guarded<std::int16_t> packed(packed_size(n, k));
    pack_gemm_b(codes.data(), n, k, packed.data());
    EXPECT_EQ(first_difference(packed.values(), expected), "") << n << " x " << k;
    EXPECT_TRUE(packed.guards_untouched()) << n << " x " << k;
  }
}

}  // namespace
}  // namespace samebits::kernels
