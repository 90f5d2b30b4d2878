// kernels/formats/codebook.h against a search for the nearest value, by bits: grids, thresholds, errors and
// kernels.
#include "kernels/formats/codebook.h"

#include <gmock/gmock.h>

#include <numeric>
#include <set>
#include <stdexcept>

#include "kernels/quantize/fake_quantize.h"
#include "tests/format_oracle.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels {
namespace {

class CodebookKernel : public KernelTest {};

std::vector<float> values_of(const Codebook& codebook) {
  return {codebook.values, codebook.values + codebook.size};
}

/// A table of one run of n elements.
GridTable one_scale(const float& scale, std::int64_t n) {
  return {&scale, nullptr, 0, 0, n, n, 1};
}

struct CodebookCase {
  const char* why;
  Codebook codebook;
};
const std::vector<CodebookCase>& codebooks() {
  static const std::vector<CodebookCase> cases = {
      {"powers of two, 2 bits", powers_of_two(2)},
      {"powers of two, 3 bits", powers_of_two(3)},
      {"powers of two, 4 bits", powers_of_two(4)},
      {"additive, signed, 2 bits", additive_powers_of_two(2, true)},
      {"additive, signed, 3 bits", additive_powers_of_two(3, true)},
      {"additive, signed, 4 bits", additive_powers_of_two(4, true)},
      {"additive, unsigned, 2 bits", additive_powers_of_two(2, false)},
      {"additive, unsigned, 4 bits", additive_powers_of_two(4, false)},
      {"NormalFloat", normal_float4()},
      {"two values, a tie at 0 that goes to the lower code", make_codebook(std::vector{-1.0f, 1.0f})},
      {"no zero: NaN takes the value nearest 0", make_codebook(std::vector{-3.0f, -0.5f, 0.75f, 2.0f})},
      {"neighbours: the midpoint is no float32",
       make_codebook(std::vector{1.0f, 0x1.000002p+0f, 0x1.000004p+0f})},
  };
  return cases;
}

/// What the search says of x, element i with scale_of(i).
struct ExpectedCodes {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, clip_mask;
  bool saw_nan = false;
};
template <class ScaleOf>
ExpectedCodes expect_codes(const std::vector<float>& x, const Codebook& codebook, ScaleOf scale_of) {
  const std::vector<float> values = values_of(codebook);
  ExpectedCodes expected;
  expected.clip_mask.resize((x.size() + 7) / 8);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scale = scale_of(static_cast<std::int64_t>(i));
    const float v = oracle::divide(x[i], scale);
    const int code = oracle::nearest_index(std::isnan(v) ? 0.0f : v, values);
    expected.codes.push_back(static_cast<std::uint8_t>(code));
    expected.y.push_back(oracle::multiply(values[code], scale));
    const bool inside = v >= values.front() && v <= values.back();
    if (!inside) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= std::isnan(x[i]);
  }
  return expected;
}

void expect_search(const std::vector<float>& x, const Codebook& codebook, float scale) {
  const ExpectedCodes expected = expect_codes(x, codebook, [&](std::int64_t) { return scale; });
  const std::int64_t n = std::ssize(x);
  for (const auto& entry : under_test(fake_quantize_codebook)) {
    SCOPED_TRACE(testing::Message() << entry.name << ", scale " << scale);
    Guarded<float> y(n, 1);
    Guarded<std::uint8_t> codes(n, 1), clip_mask((n + 7) / 8, 1);
    const CodebookArgs args{x.data(), y.data(), codes.data(), clip_mask.data()};
    EXPECT_EQ(entry.run(args, codebook, one_scale(scale, n), 0, n), expected.saw_nan);
    EXPECT_EQ(first_difference(y.values(), expected.y), "");
    EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
    EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
    EXPECT_TRUE(y.guards_untouched() && codes.guards_untouched() && clip_mask.guards_untouched());
  }
}

/// The values, the midpoints between them and the neighbours of both, times the scale.
std::vector<float> boundaries(const Codebook& codebook, float scale) {
  std::vector<float> x = special_values();
  for (std::int32_t i = 0; i < codebook.size; ++i) {
    push_neighbours(codebook.values[i] * scale, 3, x);
    if (i == 0) continue;
    const double midpoint = (double{codebook.values[i - 1]} + double{codebook.values[i]}) / 2;
    push_neighbours(static_cast<float>(midpoint * scale), 4, x);
  }
  return x;
}

TEST(Codebook, PowersOfTwoAreZeroAndTheMagnitudesThatFitTheBits) {
  EXPECT_THAT(values_of(powers_of_two(2)), testing::ElementsAre(-1, 0, 1));
  EXPECT_THAT(values_of(powers_of_two(3)), testing::ElementsAre(-1, -0.5, -0.25, 0, 0.25, 0.5, 1));
  const std::vector<float> four = values_of(powers_of_two(4));
  ASSERT_EQ(four.size(), 15u);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(four[14 - i], std::ldexp(1.0f, -i));
}

/// Sums of one element of each set, by the paper's rule: p_i in {0, 2^-i, 2^-(i + n), 2^-(i + 2n)}, i = 1 ..
/// n.
std::set<double> paper_sums(int terms) {
  std::set<double> sums = {0};
  for (int i = 1; i <= terms; ++i) {
    std::set<double> next;
    for (const double sum : sums)
      for (const double term :
           {0.0, std::ldexp(1, -i), std::ldexp(1, -i - terms), std::ldexp(1, -i - 2 * terms)})
        next.insert(sum + term);
    sums = next;
  }
  return sums;
}

TEST(Codebook, AdditivePowersOfTwoAreThePapersSums) {
  const std::set<double> two_bits = paper_sums(1), four_bits = paper_sums(2);
  EXPECT_THAT(values_of(additive_powers_of_two(2, false)), testing::ElementsAreArray(two_bits));
  EXPECT_THAT(values_of(additive_powers_of_two(4, false)), testing::ElementsAreArray(four_bits));
  EXPECT_THAT(values_of(additive_powers_of_two(3, false)),
              testing::ElementsAre(0, 0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.625));
}

TEST(Codebook, SignedAdditiveGridsMirrorTheMagnitudesOfOneBitLess) {
  EXPECT_THAT(values_of(additive_powers_of_two(2, true)), testing::ElementsAre(-0.5, 0, 0.5));
  for (const int bits : {3, 4}) {
    const std::vector<float> magnitudes = values_of(additive_powers_of_two(bits - 1, false));
    std::vector<float> values = values_of(additive_powers_of_two(bits, true));
    EXPECT_EQ(values.size(), (1u << bits) - 1);
    EXPECT_EQ(std::vector<float>(values.begin() + std::ssize(magnitudes) - 1, values.end()), magnitudes);
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], -values[values.size() - 1 - i]);
  }
}

// Eight quantiles above the median and seven below, evenly spaced in probability up to 929/960, divided by
// the largest.
TEST(Codebook, NormalFloatHoldsQuantilesOfTheNormalDistribution) {
  constexpr double kLargestQuantile = 1.848131420707975;  // of probability 929/960
  const std::vector<float> values = values_of(normal_float4());
  ASSERT_EQ(values.size(), 16u);
  EXPECT_EQ(values[7], 0.0f);
  for (int i = 0; i < 16; ++i) {
    const double steps = i < 7 ? 7 : 8;
    const double probability = 0.5 + (929.0 / 960 - 0.5) * (i - 7) / steps;
    EXPECT_NEAR(0.5 * std::erfc(-values[i] * kLargestQuantile / std::sqrt(2.0)), probability, 1e-6) << i;
  }
}

struct ThresholdCase {
  const char* why;
  std::vector<float> values;
  float v;
  int code;
};
TEST(Codebook, SettlesTiesByTheEvenIndexAndMidpointsThatAreNoFloatExactly) {
  const ThresholdCase cases[] = {
      {"a tie between 0 and 1 goes to 0", {0, 1, 2}, 0.5f, 0},
      {"one float above it goes to 1", {0, 1, 2}, 0x1.000002p-1f, 1},
      {"a tie between 1 and 2 goes to 2", {0, 1, 2}, 1.5f, 2},
      {"one float below it goes to 1", {0, 1, 2}, 0x1.7ffffep+0f, 1},
      {"the midpoint is a hair above 0.5: 0.5 is below it", {0x1p-149f, 1}, 0.5f, 0},
      {"and the next float above", {0x1p-149f, 1}, 0x1.000002p-1f, 1},
      {"the midpoint is a hair below 0.5: 0.5 is above it", {-0x1p-149f, 1}, 0.5f, 1},
      {"and the float before below", {-0x1p-149f, 1}, 0x1.fffffep-2f, 0},
      {"also where a tie would go up", {-1, 0x1p-149f, 1}, 0.5f, 1},
      {"the sum of two values overflows float32", {-kLargest, 0x1.8p127f, kLargest}, 0x1.bffffep127f, 1},
      {"and its midpoint is exact enough", {-kLargest, 0x1.8p127f, kLargest}, 0x1.cp127f, 2},
      {"half the smallest denormal rounds to the even index", {0, 0x1p-149f, 0x1p-148f}, 0x1p-149f, 1},
      {"minus zero counts as zero", {-1, 1}, -0.0f, 0},
  };
  for (const ThresholdCase& c : cases)
    EXPECT_EQ(codebook_code(c.v, make_codebook(c.values)), c.code) << c.why;
}

std::string refusal(const std::vector<float>& values) {
  try {
    make_codebook(values);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Codebook, RefusesWhatIsNoCodebookAndNamesTheFault) {
  EXPECT_EQ(refusal({1}), "[codebook] values: expected 2 to 16 of them, got 1; 4 bits hold no more codes");
  EXPECT_EQ(refusal(std::vector<float>(17)),
            "[codebook] values: expected 2 to 16 of them, got 17; 4 bits hold no more codes");
  EXPECT_EQ(refusal({0, kInfinity}), "[codebook] values[1]: expected a finite value, got inf; remove it");
  EXPECT_EQ(refusal({nans().front(), 1}),
            "[codebook] values[0]: expected a finite value, got nan; remove it");
  EXPECT_EQ(refusal({0, 0.5f, 0.25f}),
            "[codebook] values[2]: expected a value above values[1] = 0.5, got 0.25; sort the values and "
            "keep each once");
  EXPECT_EQ(refusal({-0.0f, 0.0f}),
            "[codebook] values[1]: expected a value above values[0] = -0, got 0; sort the values and keep "
            "each once");
  EXPECT_EQ(refusal({-0.0f, 1.0f}), "accepted");
  EXPECT_THROW(powers_of_two(1), std::invalid_argument);
  EXPECT_THROW(additive_powers_of_two(5, true), std::invalid_argument);
}

TEST(Codebook, StoresNoMinusZero) {
  EXPECT_EQ(bits(make_codebook(std::vector{-1.0f, -0.0f, 1.0f}).values[1]), 0u);
}

TEST(Codebook, TheScaleLeavesNothingOfTheRangeOutside) {
  EXPECT_EQ(codebook_scale(normal_float4(), -3.0f, 2.0f), 3.0f);
  EXPECT_EQ(codebook_scale(additive_powers_of_two(4, true), -1.0f, 5.0f), 8.0f);
  EXPECT_EQ(codebook_scale(additive_powers_of_two(2, false), -9.0f, 1.0f), 2.0f);
  EXPECT_EQ(codebook_scale(normal_float4(), 0.0f, 0.0f), 1.0f);
  EXPECT_EQ(codebook_scale(normal_float4(), 0.0f, 0x1p-140f), kMinScale);
  EXPECT_EQ(codebook_scale(additive_powers_of_two(4, true), -kLargest, kLargest), kLargest);
}

TEST_F(CodebookKernel, FindsTheNearestValueAtEveryBoundaryAndItsNeighbours) {
  for (const CodebookCase& c : codebooks()) {
    SCOPED_TRACE(c.why);
    for (const float scale : {1.0f, 0.1f, 0x1.fffffep-3f, kMinScale, 0x1p100f})
      expect_search(boundaries(c.codebook, scale), c.codebook, scale);
  }
}

TEST_F(CodebookKernel, FindsTheNearestValueOfRandomPatternsAndCounts) {
  Random random(1);
  for (const CodebookCase& c : codebooks()) {
    SCOPED_TRACE(c.why);
    for (const std::int64_t n : kCounts) expect_search(random_floats(random, n, 2.5f), c.codebook, 1.3f);
    for (std::uint32_t first = 0; first < 1u << 24 && !HasFailure(); first += 1u << 20)
      expect_search(sampled_patterns(first + static_cast<std::uint32_t>(random() % 4096), 1u << 12),
                    c.codebook, 0.3f);
  }
}

TEST_F(CodebookKernel, FindsTheNearestValueOfFreeCodebooksOfEverySize) {
  Random random(2);
  for (int size = 2; size <= 16; ++size) {
    std::set<float> values;
    while (std::ssize(values) < size) values.insert(random_floats(random, 1, 3.0f)[0]);
    const Codebook codebook = make_codebook(std::vector<float>(values.begin(), values.end()));
    SCOPED_TRACE(size);
    expect_search(boundaries(codebook, 0.7f), codebook, 0.7f);
    expect_search(random_floats(random, 500, 3.0f), codebook, 0.7f);
  }
}

TEST_F(CodebookKernel, TakesEveryPatternOfA16BitTypeAndRoundsItsResultsToIt) {
  for (const StoredType& stored : kShortTypes) {
    for (const float scale : {1.0f, 0.1f}) {
      const Bytes x = all_patterns();
      const std::int64_t n = std::ssize(x) / 2;
      const ExpectedCodes expected =
          expect_codes(decoded(x, stored.type), normal_float4(), [&](std::int64_t) { return scale; });
      for (const auto& entry : under_test(fake_quantize_codebook)) {
        SCOPED_TRACE(testing::Message() << stored.name << ", " << entry.name << ", scale " << scale);
        Bytes y = x;  // y may be x
        std::vector<std::uint8_t> codes(n), clip_mask(n / 8);
        const CodebookArgs args{y.data(), y.data(), codes.data(), clip_mask.data(), stored.type};
        EXPECT_TRUE(entry.run(args, normal_float4(), one_scale(scale, n), 0, n));
        EXPECT_EQ(first_difference(y, encoded_results(expected.y, stored.type)), "");
        EXPECT_EQ(first_difference(codes, expected.codes), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
    }
  }
}

TEST_F(CodebookKernel, ReportsANaNWhereverItStandsAndNothingElse) {
  for (const std::int64_t n : {1, 8, 33}) {
    for (std::int64_t at = 0; at < n; ++at) {
      std::vector<float> x(n, -kInfinity);
      x[at] = nans()[at % nans().size()];
      expect_search(x, normal_float4(), 0.5f);
    }
    expect_search(std::vector<float>(n, kInfinity), normal_float4(), 0.5f);
  }
}

TEST_F(CodebookKernel, LeavesOutWhatIsNotWantedAndMayWriteOverItsInput) {
  Random random(3);
  for (const std::int64_t n : kCounts) {
    const std::vector<float> x = random_floats(random, n, 2.0f);
    const float scale = 0.9f;
    const ExpectedCodes expected = expect_codes(x, normal_float4(), [&](std::int64_t) { return scale; });
    for (const auto& entry : under_test(fake_quantize_codebook)) {
      std::vector<float> y = x;
      std::vector<std::uint8_t> codes(n);
      entry.run({x.data(), nullptr, codes.data(), nullptr}, normal_float4(), one_scale(scale, n), 0, n);
      entry.run({y.data(), y.data(), nullptr, nullptr}, normal_float4(), one_scale(scale, n), 0, n);
      EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
      EXPECT_EQ(first_difference(y, expected.y), "") << entry.name;
    }
  }
}

TEST_F(CodebookKernel, GivesEachElementTheScaleOfItsRunInWhateverOrderThePiecesCome) {
  Random random(4);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const GridTable table = c.table(grids.scale.data());
    const std::vector<float> x = random_floats(random, c.elements(), 0.3f);
    const ExpectedCodes expected =
        expect_codes(x, powers_of_two(4), [&](std::int64_t i) { return grids.scale[c.grid_index(i)]; });
    for (int round = 0; round < 10; ++round) {
      Guarded<float> y(c.elements());
      Guarded<std::uint8_t> codes(c.elements()), clip_mask((c.elements() + 7) / 8);
      auto pieces = random_pieces(random, c.elements(), 8);
      std::shuffle(pieces.begin(), pieces.end(), random);
      for (const auto& [first, last] : pieces)
        EXPECT_FALSE(fake_quantize_codebook({x.data(), y.data(), codes.data(), clip_mask.data()},
                                            powers_of_two(4), table, first, last));
      EXPECT_EQ(first_difference(y.values(), expected.y), "");
      EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      EXPECT_TRUE(y.guards_untouched() && codes.guards_untouched() && clip_mask.guards_untouched());
    }
  }
}

TEST_F(CodebookKernel, IsIdempotentWhereTheProductIsNotDenormal) {
  for (const CodebookCase& c : codebooks()) {
    SCOPED_TRACE(c.why);
    if (c.codebook.values[0] == 1.0f) continue;  // neighbours: a rounded product may be nearer to the next
    for (const float scale : {1.0f, 0.1f, 3.7f}) {
      std::vector<float> x;
      for (int i = 0; i < c.codebook.size; ++i) x.push_back(c.codebook.values[i] * scale);
      std::vector<std::uint8_t> codes(x.size()), ascending(x.size());
      std::iota(ascending.begin(), ascending.end(), std::uint8_t{0});
      fake_quantize_codebook({x.data(), nullptr, codes.data(), nullptr}, c.codebook,
                             one_scale(scale, std::ssize(x)), 0, std::ssize(x));
      EXPECT_EQ(codes, ascending);
    }
  }
}

TEST_F(CodebookKernel, TheStraightThroughGradientStopsAtItsMask) {
  const std::vector<float> x = {-2.0f,     -1.0f,          0.3f, 1.0f, 0x1.000002p+0f,
                                kInfinity, nans().front(), 0.0f, 9.0f};
  std::vector<float> grad(x.size(), 1.0f);
  std::vector<std::uint8_t> clip_mask(2);
  const float scale = 1.0f;
  fake_quantize_codebook({x.data(), nullptr, nullptr, clip_mask.data()}, normal_float4(),
                         one_scale(scale, std::ssize(x)), 0, std::ssize(x));
  fake_quantize_backward(grad.data(), clip_mask.data(), grad.data(), 0, std::ssize(x), FloatType::kFloat32);
  EXPECT_THAT(grad, testing::ElementsAre(0, 1, 1, 1, 0, 0, 0, 1, 0));
}

}  // namespace
}  // namespace samebits::kernels
