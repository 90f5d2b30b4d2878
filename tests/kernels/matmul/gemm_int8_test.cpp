// kernels/matmul/gemm_int8.h against the oracle, on bits: every kind of output, every tail of every size, any
// cut into regions, extreme codes, and nothing read or written outside.
#include "kernels/matmul/gemm_int8.h"

#include <cmath>
#include <limits>

#include "kernels/common/aligned_vector.h"
#include "tests/kernels/matmul/gemm_int8_problem.h"

namespace samebits::kernels {
namespace {

class GemmInt8 : public KernelTest {};

TEST_F(GemmInt8, MatchesTheOracleOnRandomShapesForEveryKindOfOutput) {
  Random random(1);
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.why);
    for (int round = 0; round < 40 && !HasFailure(); ++round)
      expect_oracle(random_problem(random, kind, random_int(random, 1, 130), random_int(random, 1, 130),
                                   random_int(random, 1, 150)));
  }
}

TEST_F(GemmInt8, IsExactForEveryDepthFrom0To140) {
  Random random(2);
  for (const Kind& kind : {kFloats, kCodes, kGroups}) {
    SCOPED_TRACE(kind.why);
    for (std::int64_t k = 0; k <= 140 && !HasFailure(); ++k)
      for (const auto& [m, n] : {std::pair{1, 1}, {3, 17}, {35, 50}})
        expect_oracle(random_problem(random, kind, m, n, k));
  }
}

TEST_F(GemmInt8, IsExactForEveryNumberOfRowsAndColumnsFrom1To72) {
  Random random(3);
  for (std::int64_t m = 1; m <= 72 && !HasFailure(); ++m) {
    for (std::int64_t n = 1; n <= 72; n += 1 + random_int(random, 0, 4)) {
      expect_oracle(random_problem(random, kFloats, m, n, 7));
      expect_oracle(random_problem(random, kReluCodes, m, n, 65));
    }
  }
}

TEST_F(GemmInt8, IsExactForLongSumsAndManyRows) {
  Random random(4);
  for (const std::int64_t k : {1024, 1025, 2047, 3001, 4099, 5000})
    for (const Kind& kind : {kFloats, kCodes, kTileGroups})
      expect_oracle(random_problem(random, kind, 23, 37, k));
  expect_oracle(random_problem(random, kReluCodes, 700, 33, 61));  // more rows than a block of them
  expect_oracle(random_problem(random, kFloats, 300, 17, 4700));
}

TEST_F(GemmInt8, AnyCutIntoRegionsInAnyOrderGivesTheSameBits) {
  Random random(5);
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.why);
    for (int round = 0; round < 6 && !HasFailure(); ++round) {
      const std::int64_t m = random_int(random, 1, 90), n = random_int(random, 1, 150);
      Regions regions;
      for (const auto& [row_begin, row_end] : random_pieces(random, m, 1))
        for (const auto& [column_begin, column_end] : random_pieces(random, n, kColumnBlock))
          regions.push_back({row_begin, row_end, column_begin, column_end});
      std::shuffle(regions.begin(), regions.end(), random);
      expect_oracle(random_problem(random, kind, m, n, random_int(random, 1, 100)), regions);
    }
  }
}

TEST_F(GemmInt8, WritesTheRegionThatIsAskedForAndNothingElse) {
  Random random(6);
  for (const Kind& kind : {kFloats, kReluFloats, kCodes, kGroups}) {
    const std::int64_t m = 40, n = 90;
    const Problem p = random_problem(random, kind, m, n, 70);
    for (const GemmRegion& region :
         {GemmRegion{0, 0, 0, n}, {3, 4, 16, 32}, {5, 39, 32, 90}, {0, 40, 80, 90}, {7, 7, 0, 0}}) {
      for (const auto& entry : under_test(gemm_int8)) {
        Operands operands(p);
        Guarded<std::uint8_t> output((m * (n + p.output_gap) - p.output_gap) * p.element_size());
        std::vector<std::uint8_t> expected = output.values();
        const std::vector<std::uint8_t> whole = p.expected(0);
        for (std::int64_t row = region.row_begin; row < region.row_end; ++row) {
          const std::int64_t first = (row * (n + p.output_gap) + region.column_begin) * p.element_size();
          const std::int64_t count = (region.column_end - region.column_begin) * p.element_size();
          std::copy_n(whole.begin() + first, count, expected.begin() + first);
        }
        operands.args.output = output.data();
        entry.run(operands.args, region);
        EXPECT_EQ(first_difference(output.values(), expected), "") << entry.name << ", " << kind.why;
      }
    }
  }
}

// 66311 is max_depth of int8 activations and narrow weights; -128 * -128 is the largest product that codes
// can make, and a pair of it, 2^15, no longer fits 16 bits.
TEST_F(GemmInt8, HoldsTheLargestSumsOfTheLargestDepth) {
  struct Case {
    const char* why;
    int a, b;
  };
  for (const Case& c : {Case{"both lowest", -128, -128}, Case{"lowest times highest", -128, 127},
                        Case{"highest times lowest", 127, -128}, Case{"both highest", 127, 127}}) {
    SCOPED_TRACE(c.why);
    for (const std::int64_t m : {1, 3, 33}) {
      Problem p = kFloats.problem;
      p.m = m;
      p.n = 3;
      p.k = 66311;
      p.a.assign(p.m * p.k, static_cast<std::int8_t>(c.a));
      p.b.assign(p.n * p.k, static_cast<std::int8_t>(c.b));
      p.correction.assign(p.n,
                          static_cast<std::int32_t>(p.k) * c.a * c.b - 5);  // leaves every bit of the sum
      p.scale.assign(p.n, 1.0f);
      expect_oracle(p);
    }
  }
}

// A product of nothing leaves the bias, so that any float can be put before the quantizer.
Problem bias_only(const std::vector<float>& values, const AffineGrid& grid) {
  Problem p = kCodes.problem;
  p.m = 13;  // two whole tiles and a row
  p.knows_sums = true;
  p.n = std::ssize(values);
  p.k = 0;
  p.bias = values;
  p.correction.assign(p.n, 0);
  p.scale.assign(p.n, 1.0f);
  p.grid = grid;
  return p;
}

/// Every half step of the grid with the floats next to it, and what lies far outside.
std::vector<float> values_next_to_ties(const AffineGrid& grid) {
  std::vector<float> values = {0.0f, -0.0f, 1e-45f, -1e-38f, 3e38f, -3e38f};
  for (const float infinity :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
    values.push_back(infinity);
  for (int half_steps = -601; half_steps <= 601; ++half_steps) {
    const float tie = static_cast<float>(0.5 * half_steps * double{grid.scale});
    values.insert(values.end(), {tie, std::nextafter(tie, 1e38f), std::nextafter(tie, -1e38f)});
  }
  return values;
}

TEST_F(GemmInt8, SettlesTiesOfCodesByATrueQuotientAtEveryScale) {
  Random random(7);
  std::vector<float> scales = {1.0f,
                               0.1f,
                               1.7f,
                               0x1p-126f,
                               0x1.83e84ap-126f,  // a correction would be wrong here, and at the next two
                               0x1.fffffep-110f,
                               0x1.fffffep-103f,
                               std::nextafter(0x1p-101f, 0.0f),
                               0x1p-101f,
                               0x1.8p-101f,
                               3e36f,
                               0x1p126f,
                               std::nextafter(0x1p126f, 3e38f),
                               0x1.8p127f,
                               std::nextafter(1.0f, 0.0f),
                               std::nextafter(2.0f, 0.0f),
                               0x1.fffff0p-3f,
                               0x1.fffff2p-3f};
  for (int i = 0; i < 60; ++i)
    scales.push_back(
        std::bit_cast<float>(static_cast<std::uint32_t>(random_int(random, 0x33000000, 0x42000000))));
  for (const float scale : scales) {
    for (const std::int32_t zero_point : {0, 3, -128, 127}) {
      SCOPED_TRACE(testing::Message() << std::hexfloat << scale << ", zero point " << zero_point);
      const AffineGrid grid{.scale = scale, .zero_point = zero_point};
      expect_oracle(bias_only(values_next_to_ties(grid), grid));
      if (HasFailure()) return;
    }
  }
}

// Where no term can make a value overflow, codes are made without a clamp of the quotient and 64 at a time.
TEST_F(GemmInt8, MakesTheSameCodesOnBothSidesOfTheBoundsWithinWhichNothingOverflows) {
  const float infinity = std::numeric_limits<float>::infinity(), largest = 3e38f;
  const auto below = [](float bound) { return std::nextafter(bound, 0.0f); };
  Random random(10);
  for (const bool channels_are_rows : {false, true}) {
    for (const float grid_scale : {below(0x1p-30f), 0x1p-30f, 1.7f, 0x1p126f}) {
      for (const float bias : {0.5f, below(0x1p95f), 0x1p95f, largest, -largest, infinity, -infinity}) {
        for (const float scale : {1e-3f, below(0x1p64f), -0x1p64f, largest}) {
          if (std::isinf(bias) && scale == largest) continue;  // the difference of infinities is NaN
          Problem p = kind(GemmOutput::kCodes, channels_are_rows, false, 0);
          p.knows_sums = true;
          p = random_problem_of(random, std::move(p), 13, 128, 5);
          const std::int64_t channel = random_int(random, 0, channels_are_rows ? 11 : 127);
          p.bias.assign(channels_are_rows ? 13 : 128, 0.25f);
          p.bias[channel] = bias;
          p.scale[channel] = scale;
          p.grid = {.scale = grid_scale, .zero_point = 3};
          SCOPED_TRACE(testing::Message() << grid_scale << ", bias " << bias << ", scale " << scale);
          expect_oracle(p);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST_F(GemmInt8, ANaNTakesTheCodeOfTheRealZeroAndIsReported) {
  const std::int64_t n = 100;
  for (const auto& entry : under_test(gemm_int8)) {
    for (std::int64_t place = 0; place < n; ++place) {
      std::vector<float> values(n, 2.0f);
      values[place] = std::numeric_limits<float>::quiet_NaN();
      Problem p = bias_only(values, {.scale = 0.25f, .zero_point = 5, .qmin = 0, .qmax = 6});
      for (const std::int64_t m : {std::int64_t{1}, p.m}) {
        p.relu = place % 2 == 0;
        Operands operands(p);
        std::vector<std::int8_t> codes(m * n), expected(m * n, 6);
        for (std::int64_t row = 0; row < m; ++row) expected[row * n + place] = 5;
        operands.args.output = codes.data();
        EXPECT_TRUE(entry.run(operands.args, {0, m, 0, n})) << entry.name << " " << place;
        EXPECT_EQ(first_difference(codes, expected), "") << entry.name << " " << place;
      }
    }
  }
}

TEST_F(GemmInt8, ReluKeepsMinusZeroAndNaN) {
  Problem p =
      bias_only({-0.0f, 0.0f, -1.0f, 1.0f, std::numeric_limits<float>::quiet_NaN(), 1e-45f, -1e-45f}, {});
  p.output = GemmOutput::kFloat;
  p.relu = true;
  // The sum's part is -0: +0 before it would hide a bias of -0.
  p.scale.assign(p.n, -1.0f);
  expect_oracle(p);
}

// Outputs of a mebibyte may be written past the caches, where every row begins with a cache line.
TEST_F(GemmInt8, WritesLargeOutputsOfEveryAlignmentToTheBit) {
  Random random(12);
  for (const std::int64_t n : {960, 1000}) {
    const Problem p = randomized(random, {{.m = 290, .n = n, .k = 9}});
    for (const auto& entry : under_test(gemm_int8)) {
      for (const std::int64_t offset : {0, 1}) {
        AlignedVector<float> y(p.m * n + 1);
        Operands operands(p);
        operands.args.output_stride = n;
        operands.args.output = y.data() + offset;
        entry.run(operands.args, {0, p.m, 0, n});
        for (std::int64_t i = 0; i < p.m * n; ++i)
          ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i + offset]),
                    std::bit_cast<std::uint32_t>(p.value(i / n, i % n)))
              << entry.name << ", element " << i << " of " << n << " columns, offset " << offset;
      }
    }
  }
}

TEST_F(GemmInt8, TheDispatchedKernelGivesTheSameBits) {
  Random random(9);
  const Problem p = random_problem(random, kFloats, 50, 100, 301);
  const Operands operands(p);
  Guarded<std::uint8_t> output(std::ssize(p.expected(0)));
  GemmInt8Args args = operands.args;
  args.output = output.data();
  gemm_int8(args, {0, 50, 0, 100});
  EXPECT_EQ(first_difference(output.values(), p.expected(Guarded<std::uint8_t>::kFill)), "");
}

}  // namespace
}  // namespace samebits::kernels
