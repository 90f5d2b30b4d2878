// kernels/matmul/gemm_int8.h against the oracle, on bits: every kind of output, every tail of every size, any
// cut into regions, extreme codes, and nothing read or written outside.
#include "kernels/matmul/gemm_int8.h"

#include <cmath>
#include <limits>

#include "kernels/common/aligned_vector.h"
#include "tests/kernels/guard_page.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class GemmInt8 : public KernelTest {};

/// One call with its operands.
struct Problem : oracle::Gemm {
  GemmOutput output = GemmOutput::kFloat;
  AffineGrid grid{};
  std::int64_t a_gap = 0, output_gap = 0;  // elements between a row's end and the next row

  std::int64_t element_size() const { return output == GemmOutput::kCodes ? 1 : 4; }
  bool has_groups() const { return group_size > 0; }

  /// The output's bytes from the first row on; `gap` bytes between rows are `fill`.
  std::vector<std::uint8_t> expected(std::uint8_t fill) const {
    std::vector<std::uint8_t> bytes((m * (n + output_gap) - output_gap) * element_size(), fill);
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        std::uint8_t* to = bytes.data() + (row * (n + output_gap) + column) * element_size();
        const auto write = [to](auto value) { std::memcpy(to, &value, sizeof value); };
        const float y = after_relu(value(row, column));
        if (output == GemmOutput::kFloat) {
          write(y);
        } else {
          write(static_cast<std::int8_t>(oracle::code(y, to_oracle(grid))));
        }
      }
    }
    return bytes;
  }
};

std::string text(const Problem& p) {
  std::ostringstream out;
  out << p.m << " x " << p.n << " x " << p.k << ", group_size " << p.group_size << ", output "
      << static_cast<int>(p.output) << (p.channels_are_rows ? ", channels are rows" : "")
      << (p.relu ? ", relu" : "") << (p.bias.empty() ? "" : ", bias");
  return out.str();
}

/// Codes, terms and a grid at random, for the kind of call that `p` says. Sums are spread over the grid, so
/// that most codes are not clipped.
Problem randomized(Random& random, Problem p) {
  p.a = random_codes(random, p.m * p.k);
  p.b = random_codes(random, p.n * p.k);
  const std::int64_t groups = p.has_groups() ? (p.k + p.group_size - 1) / p.group_size : 1;
  const std::int64_t channels = p.channels_are_rows ? p.m : p.n;
  for (std::int64_t i = 0; i < groups * channels; ++i) {
    p.correction.push_back(static_cast<std::int32_t>(random_int(random, -100'000, 100'000)));
    p.scale.push_back(0.001f + random_floats(random, 1, 0.0009f)[0]);
  }
  p.x_scale = 0.37f;
  if (random_int(random, 0, 2) != 0) p.bias = random_floats(random, channels, 30.0f);
  p.grid = {.scale = 1.3f + random_floats(random, 1, 1.0f)[0],
            .zero_point = static_cast<std::int32_t>(random_int(random, -128, 127))};
  return p;
}

struct Kind {
  const char* why;
  Problem problem;
};
Problem kind(GemmOutput output, bool channels_are_rows, bool relu, std::int64_t group_size) {
  Problem p;
  p.output = output;
  p.channels_are_rows = channels_are_rows;
  p.relu = relu;
  p.group_size = group_size;
  return p;
}
const Kind kFloats{"floats", kind(GemmOutput::kFloat, false, false, 0)};
const Kind kReluFloats{"floats after a relu", kind(GemmOutput::kFloat, false, true, 0)};
const Kind kCodes{"codes", kind(GemmOutput::kCodes, false, false, 0)};
const Kind kReluCodes{"codes after a relu", kind(GemmOutput::kCodes, false, true, 0)};
const Kind kGroups{"groups of 32", kind(GemmOutput::kFloat, false, false, 32)};
const Kind kTileGroups{"groups of 64", kind(GemmOutput::kFloat, false, false, 64)};
const Kind kKinds[] = {
    kFloats,
    kReluFloats,
    {"floats, a channel a row", kind(GemmOutput::kFloat, true, false, 0)},
    {"floats after a relu, a channel a row", kind(GemmOutput::kFloat, true, true, 0)},
    kCodes,
    kReluCodes,
    {"codes, a channel a row", kind(GemmOutput::kCodes, true, false, 0)},
    {"codes after a relu, a channel a row", kind(GemmOutput::kCodes, true, true, 0)},
    {"groups of 4", kind(GemmOutput::kFloat, false, false, 4)},
    {"groups of 12 with a relu", kind(GemmOutput::kFloat, false, true, 12)},
    {"groups of 16", kind(GemmOutput::kFloat, false, false, 16)},
    kGroups,
    kTileGroups,
    {"groups of 96", kind(GemmOutput::kFloat, false, false, 96)},
    {"groups of 128 with a relu", kind(GemmOutput::kFloat, false, true, 128)},
    {"codes of groups of 32", kind(GemmOutput::kCodes, false, true, 32)},
};

Problem random_problem(Random& random, const Kind& kind, std::int64_t m, std::int64_t n, std::int64_t k) {
  Problem p = kind.problem;
  p.m = m;
  p.n = n;
  p.k = k;
  p.a_gap = random_int(random, 0, 2) == 0 ? random_int(random, 1, 70) : 0;
  p.output_gap = random_int(random, 0, 2) == 0 ? random_int(random, 1, 20) : 0;
  return randomized(random, std::move(p));
}

/// A problem's operands as gemm_int8 takes them: `a` and `b` end where memory ends.
struct Operands {
  GuardPage<std::int8_t> a, b;
  GemmInt8Args args;

  explicit Operands(const Problem& p)
      : a(std::max<std::int64_t>(0, p.m * (p.k + p.a_gap) - p.a_gap)), b(packed_size(p.n, p.k)) {
    for (std::int64_t row = 0; row < p.m; ++row)
      std::copy_n(p.a.data() + row * p.k, p.k, a.data() + row * (p.k + p.a_gap));
    pack_gemm_b(p.b.data(), p.n, p.k, b.data(), 0, p.n);
    args = {.a = a.data(),
            .a_stride = p.k + p.a_gap,
            .b = b.data(),
            .n = p.n,
            .k = p.k,
            .group_size = p.group_size,
            .x_scale = p.x_scale,
            .output = nullptr,
            .output_stride = p.n + p.output_gap,
            .epilogue = {.output = p.output, .channels_are_rows = p.channels_are_rows, .relu = p.relu}};
    args.epilogue.grid = p.grid;
    args.epilogue.terms = {p.correction.data(), p.scale.data(), p.bias.empty() ? nullptr : p.bias.data()};
  }
};

using Regions = std::vector<GemmRegion>;

/// Runs the regions, which cover the output, with every implementation under test.
void expect_oracle(const Problem& p, const Regions& regions) {
  using Bytes = Guarded<std::uint8_t>;
  const std::vector<std::uint8_t> expected = p.expected(Bytes::kFill);
  const Operands operands(p);
  for (const auto& entry : under_test(gemm_int8)) {
    Bytes output(std::ssize(expected), p.element_size());
    GemmInt8Args args = operands.args;
    args.output = output.data();
    for (const GemmRegion& region : regions) ASSERT_FALSE(entry.run(args, region)) << entry.name;
    ASSERT_EQ(first_difference(output.values(), expected), "") << entry.name << ", " << text(p);
    ASSERT_TRUE(output.guards_untouched()) << entry.name << ", " << text(p);
  }
}
void expect_oracle(const Problem& p) {
  expect_oracle(p, {{0, p.m, 0, p.n}});
}

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
  p.m = 5;  // enough rows for tiles
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
