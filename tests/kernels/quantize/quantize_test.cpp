// kernels/quantize/quantize.h against the oracle: codes, with and without a clip mask.
#include "kernels/quantize/quantize.h"

#include <gmock/gmock.h>

#include "kernels/quantize/dequantize.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels {
namespace {

class Quantize : public KernelTest {};

/// Every entry on the whole of x, with a mask and without one.
void expect_oracle(const std::vector<float>& x, const AffineGrid& grid) {
  const Expected expected = expect_on(x, grid);
  const auto n = std::ssize(x);
  for (const auto& entry : under_test(quantize)) {
    SCOPED_TRACE(entry.name);
    for (const bool with_mask : {true, false}) {
      std::vector<std::int8_t> codes(n);
      const std::vector<std::uint8_t> untouched(expected.clip_mask.size(), 0xA5);
      std::vector<std::uint8_t> clip_mask = untouched;
      const QuantizeArgs args{x.data(), codes.data(), with_mask ? clip_mask.data() : nullptr};
      EXPECT_EQ(entry.run(args, table_of(grid), 0, n), expected.saw_nan);
      EXPECT_EQ(first_difference(codes, expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask, with_mask ? expected.clip_mask : untouched), "");
    }
  }
}

struct Case {
  const char* why;
  float x;
  AffineGrid grid;
  int code;
};
const Case kCases[] = {
    {"a tie goes to the even code below", 2.5f, {.scale = 1.0f}, 2},
    {"a negative tie goes to the even code above", -2.5f, {.scale = 1.0f}, -2},
    {"the tie is settled before the zero point is added", 0.5f, {.scale = 1.0f, .zero_point = 1}, 1},
    {"the quotient is a division; x * (1 / scale) gives 16", 0x1.8cccccp+0f, {.scale = 0.1f}, 15},
    {"infinity is the last code", kInfinity, {.scale = 1.0f}, 127},
    {"the range limits the sum, not the quotient", 200.0f, {.scale = 1.0f, .zero_point = -100}, 100},
    {"a quotient of 2^31 does not wrap around", 0x1p31f, {.scale = 1.0f}, 127},
    {"a quotient of -2^63 does not wrap around", -0x1p63f, {.scale = 1.0f}, -128},
    {"NaN takes the code of the real 0",
     std::numeric_limits<float>::quiet_NaN(),
     {.scale = 1.0f, .zero_point = 3},
     3},
};

TEST_F(Quantize, GivesTheCodesOfTheContract) {
  for (const Case& c : kCases) {
    for (const std::int64_t n : {1, 8, 19}) {  // only a tail, only whole bytes, both
      SCOPED_TRACE(testing::Message() << c.why << ", n = " << n);
      const std::vector<float> x(n, c.x);
      for (const auto& entry : under_test(quantize)) {
        std::vector<std::int8_t> codes(n);
        EXPECT_EQ(entry.run({x.data(), codes.data(), nullptr}, table_of(c.grid), 0, n), std::isnan(c.x))
            << entry.name;
        EXPECT_THAT(codes, testing::Each(c.code)) << entry.name;
      }
    }
  }
}

TEST_F(Quantize, MatchesTheOracleOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(hard_values(c.grid), c.grid);
  }
}

// Codes are made by the line of 64 where all its values are near.
TEST_F(Quantize, AFarValueOrANaNAnywhereInALineChangesNoOtherCode) {
  const float kNaN = std::numeric_limits<float>::quiet_NaN();
  Random random(11);
  for (const AffineGrid& grid : {AffineGrid{0.37f, 5}, AffineGrid{1.0f, -3, -8, 7}, AffineGrid{0x1p-30f, 1},
                                 AffineGrid{0x1p126f, 0}}) {
    const float unit = grid.scale < 2 ? grid.scale : 1e36f;  // 40 of it are finite
    for (const float steps : {std::nextafter(0x1p20f, 0.0f), 0x1p20f, 0x1p24f, 0x1p40f, kInfinity, kNaN}) {
      for (std::int64_t place = 0; place < 64; ++place) {
        SCOPED_TRACE(testing::Message() << grid.scale << " * " << steps << " at " << place);
        std::vector<float> x = random_floats(random, 131, 40.0f);
        for (float& value : x) value *= unit;
        x[place] = steps * grid.scale;
        x[64 + place] = std::isnan(steps) ? kInfinity : -steps * grid.scale;
        expect_oracle(x, grid);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(Quantize, MatchesTheOracleForEveryWidthOfCodes) {
  for (int width = 2; width <= 8; ++width) {
    SCOPED_TRACE(testing::Message() << width << " bits");
    for (const AffineGrid& grid : grids_of_width(width)) expect_oracle(hard_values(grid), grid);
  }
}

TEST_F(Quantize, MatchesTheOracleOnEvery256thOfAllFloats) {
  constexpr std::uint32_t kChunk = 1u << 16;
  for (const AffineGrid& grid : {AffineGrid{1.0f / 3.0f, 19}, AffineGrid{0x1.000002p40f, 0}}) {
    SCOPED_TRACE(grid.scale);
    for (std::uint32_t first = 0; first < 1u << 24 && !HasFailure(); first += kChunk)
      expect_oracle(sampled_patterns(first, kChunk), grid);
  }
}

/// Codes and mask of relu, then quantize, each by the oracle: the mask has a 1 where one of the two stops the
/// gradient.
Expected expect_relu_then_quantize(const std::vector<float>& x, const AffineGrid& grid) {
  std::vector<float> positive = x;
  for (float& value : positive)
    if (value <= 0) value = 0.0f;
  Expected expected = expect_on(positive, grid);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] <= 0) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
  return expected;
}

TEST_F(Quantize, WithAFoldedReluGivesTheCodesAndGradientsOfReluThenQuantize) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    const std::vector<float> x = hard_values(c.grid);
    const Expected expected = expect_relu_then_quantize(x, c.grid);
    for (const auto& entry : under_test(quantize)) {
      std::vector<std::int8_t> codes(x.size()), codes_alone(x.size());
      std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
      QuantizeArgs args{
          .x = x.data(), .codes = codes.data(), .clip_mask = clip_mask.data(), .fold_relu = true};
      EXPECT_TRUE(entry.run(args, table_of(c.grid), 0, std::ssize(x)));
      EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
      args.codes = codes_alone.data();
      args.clip_mask = nullptr;
      EXPECT_TRUE(entry.run(args, table_of(c.grid), 0, std::ssize(x)));
      EXPECT_EQ(first_difference(codes_alone, expected.codes), "") << entry.name << ", without a mask";
    }
  }
}

TEST_F(Quantize, WithAFoldedReluWorksAtEveryGranularity) {
  Random random(11);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    std::vector<float> positive = x;
    for (float& value : positive) value = std::fmax(value, 0.0f);
    const Expected expected =
        expect_by(positive, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    std::vector<std::int8_t> codes(x.size());
    const QuantizeArgs args{.x = x.data(), .codes = codes.data(), .clip_mask = nullptr, .fold_relu = true};
    quantize(args, c.table(grids.scale.data(), grids.zero_point.data()), 0, c.elements());
    EXPECT_EQ(first_difference(codes, expected.codes), "");
  }
}

// What docs/numerics.md §6 says of a quantizer whose zero point is qmin.
TEST_F(Quantize, AloneDiffersFromReluThenQuantizeOnlyInTheMaskOfTheLastHalfStepBelowZero) {
  for (const float scale : {0.1f, 1.0f, 0x1.fffffep-3f, 0x1.000002p-3f}) {
    const AffineGrid grid{.scale = scale, .zero_point = -128};
    std::vector<float> x = hard_values(grid);
    push_neighbours(-0.5f * scale, 40, x);
    const Expected both = expect_relu_then_quantize(x, grid);
    std::vector<std::int8_t> codes(x.size());
    std::vector<std::uint8_t> clip_mask(both.clip_mask.size());
    quantize_run({x.data(), codes.data(), clip_mask.data()}, grid, 0, std::ssize(x));
    EXPECT_EQ(first_difference(codes, both.codes), "");
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool differs = ((clip_mask[i / 8] ^ both.clip_mask[i / 8]) >> i % 8 & 1) != 0;
      // The quotient rounds to -1/2 or above: x / scale >= -(1/2 + 2^-25).
      const bool in_half_step = x[i] <= 0 && double{x[i]} >= -(0.5 + 0x1p-25) * double{scale};
      EXPECT_EQ(differs, in_half_step) << std::hexfloat << x[i];
    }
  }
}

TEST_F(Quantize, ReportsANaNWhereverItStands) {
  for (const std::int64_t n : {1, 8, 16, 33}) {
    for (std::int64_t at = 0; at < n; ++at) {
      SCOPED_TRACE(testing::Message() << "NaN at " << at << " of " << n);
      std::vector<float> x(n, -kInfinity);
      x[at] = nans()[at % nans().size()];
      expect_oracle(x, {.scale = 0.1f, .zero_point = 7});
    }
  }
}

TEST_F(Quantize, WritesItsElementsAndNothingElse) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(1);
  for (const std::int64_t n : kCounts) {
    const std::vector<float> values = random_floats(random, n, 16.0f);
    const Expected expected = expect_on(values, grid);
    for (const std::int64_t offset : {0, 1, 3, 7}) {
      SCOPED_TRACE(testing::Message() << n << " elements, " << offset << " off alignment");
      const Unaligned<float> x(values, offset);
      for (const auto& entry : under_test(quantize)) {
        Guarded<std::int8_t> codes(n, offset);
        Guarded<std::uint8_t> clip_mask((n + 7) / 8, offset);
        entry.run({x.data(), codes.data(), clip_mask.data()}, table_of(grid), 0, n);
        EXPECT_EQ(first_difference(codes.values(), expected.codes), "") << entry.name;
        EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "") << entry.name;
        EXPECT_TRUE(codes.guards_untouched() && clip_mask.guards_untouched()) << entry.name;
      }
    }
  }
}

TEST_F(Quantize, KeepsTheMaskBitsBelowBeginAndClearsThoseFromEndOn) {
  const AffineGrid grid{.scale = 1.0f};
  const std::int64_t n = 40;
  const std::vector<float> x(n, 500.0f);  // all clipped
  for (std::int64_t begin = 0; begin < n; ++begin) {
    for (std::int64_t end = begin + 1; end <= n; ++end) {
      for (const auto& entry : under_test(quantize)) {
        Guarded<std::int8_t> codes(n);
        Guarded<std::uint8_t> clip_mask(n / 8);
        entry.run({x.data(), codes.data(), clip_mask.data()}, table_of(grid), begin, end);
        for (std::int64_t i = begin / 8 * 8; i < (end + 7) / 8 * 8; ++i) {
          const bool earlier = (Guarded<std::uint8_t>::kFill >> i % 8 & 1) != 0;
          const bool expected = i < begin ? earlier : i < end;
          ASSERT_EQ((clip_mask.data()[i / 8] >> i % 8 & 1) != 0, expected)
              << entry.name << ": bit " << i << " of [" << begin << ", " << end << ")";
        }
        ASSERT_TRUE(codes.untouched_outside(begin, end)) << entry.name;
        ASSERT_TRUE(clip_mask.untouched_outside(begin / 8, (end + 7) / 8)) << entry.name;
      }
    }
  }
}

TEST_F(Quantize, AnyCutIntoRunsGivesTheSameBits) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9};
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    const std::vector<float> x = random_floats(random, 1 + round * 7, 16.0f);
    const Expected expected = expect_on(x, grid);
    const auto pieces = random_pieces(random, std::ssize(x), 1);
    for (const auto& entry : under_test(quantize)) {
      std::vector<std::int8_t> codes(x.size());
      std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
      for (const auto& [first, last] : pieces)
        entry.run({x.data(), codes.data(), clip_mask.data()}, table_of(grid), first, last);
      EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
    }
  }
}

TEST_F(Quantize, GivesEachElementTheGridOfItsRunInWhateverOrderThePiecesCome) {
  Random random(3);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const GridTable table = c.table(grids.scale.data(), grids.zero_point.data());
    std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    x.front() = nans().front();
    const Expected expected = expect_by(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    for (int round = 0; round < 20; ++round) {
      Guarded<std::int8_t> codes(c.elements());
      Guarded<std::uint8_t> clip_mask((c.elements() + 7) / 8);
      auto pieces = random_pieces(random, c.elements(), 8);
      std::shuffle(pieces.begin(), pieces.end(), random);
      bool saw_nan = false;
      for (const auto& [first, last] : pieces)
        saw_nan |= quantize({x.data(), codes.data(), clip_mask.data()}, table, first, last);
      EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      EXPECT_TRUE(saw_nan && codes.guards_untouched() && clip_mask.guards_untouched());
    }
  }
}

TEST_F(Quantize, GivesBackEveryCodeThatDequantizeMadeReal) {
  std::vector<std::int8_t> codes(256);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::int8_t>(i - 128);
  for (const float scale : {kMinScale, 0.1f, 1.0f / 3.0f, 0x1.fffffep20f, 1e35f}) {
    for (const std::int32_t zero_point : {-128, -1, 0, 77, 127}) {
      SCOPED_TRACE(testing::Message() << scale << ", zero point " << zero_point);
      const AffineGrid grid{.scale = scale, .zero_point = zero_point};
      std::vector<float> real(256);
      std::vector<std::int8_t> back(256);
      std::vector<std::uint8_t> clip_mask(32, 0xFF);
      dequantize_run(codes.data(), real.data(), grid, 0, 256);
      quantize_run({real.data(), back.data(), clip_mask.data()}, grid, 0, 256);
      EXPECT_EQ(first_difference(back, codes), "");
      EXPECT_THAT(clip_mask, testing::Each(0));
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
