// kernels/common/affine.h against the oracle: the formula itself, one element at a time.
#include "kernels/common/affine.h"

#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

struct Answer {
  std::int32_t code;
  bool clipped;
  std::uint32_t y_bits;
  friend bool operator==(const Answer&, const Answer&) = default;
};
Answer answer(float r, const AffineGrid& grid) {
  const float position = grid_position(r, grid);
  const std::int32_t code = code_at(position, grid);
  return {code, is_clipped(position, grid), bits(dequantize(code, grid))};
}
Answer oracle_answer(float r, const AffineGrid& grid) {
  const oracle::Grid g = to_oracle(grid);
  return {oracle::code(r, g), oracle::is_clipped(r, g), bits(oracle::fake_quantize(r, g))};
}
/// How many of `values` differ from the oracle, and the first of them.
void expect_oracle(const std::vector<float>& values, const AffineGrid& grid) {
  std::int64_t differing = 0;
  for (const float r : values) {
    if (answer(r, grid) == oracle_answer(r, grid)) continue;
    if (differing++ == 0)
      ADD_FAILURE() << std::hexfloat << r << " / " << grid.scale << ": code " << answer(r, grid).code
                    << ", expected " << oracle_answer(r, grid).code;
  }
  EXPECT_EQ(differing, 0);
}

TEST(Affine, MatchesTheOracleAtEveryTieAndItsNeighbours) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(ties(c.grid), c.grid);
  }
}

TEST(Affine, MatchesTheOracleAtRangeEdgesLargeQuotientsAndSpecialValues) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(range_edges(c.grid), c.grid);
    expect_oracle(large_quotients(c.grid), c.grid);
    expect_oracle(special_values(), c.grid);
  }
}

TEST(Affine, MatchesTheOracleForEveryWidthOfCodes) {
  for (int width = 2; width <= 8; ++width) {
    SCOPED_TRACE(testing::Message() << width << " bits");
    for (const AffineGrid& grid : grids_of_width(width)) expect_oracle(hard_values(grid), grid);
  }
}

struct PositionCase {
  const char* why;
  float r;
  AffineGrid grid;
  float position;
};
const PositionCase kPositions[] = {
    {"a tie goes to the even code below", 2.5f, {.scale = 1.0f}, 2.0f},
    {"a tie goes to the even code above", 3.5f, {.scale = 1.0f}, 4.0f},
    {"a negative tie is no mirror of half up", -2.5f, {.scale = 1.0f}, -2.0f},
    {"the tie is settled before the zero point is added", 0.5f, {.scale = 1.0f, .zero_point = 1}, 1.0f},
    {"the quotient is a division; r * (1 / scale) gives 16", 0x1.8cccccp+0f, {.scale = 0.1f}, 15.0f},
    {"7.4999999 is rounded to the float 7.5 first, then to 8", 0.75f, {.scale = 0.1f}, 8.0f},
    {"the position is not clipped", 1000.0f, {.scale = 1.0f}, 1000.0f},
    {"infinity passes", -kInfinity, {.scale = 1.0f, .zero_point = 5}, -kInfinity},
    {"an overflowing quotient is infinity", kLargest, {.scale = 0x1p-126f}, kInfinity},
    {"the smallest denormal over the smallest scale is 2^-23", 0x1p-149f, {.scale = 0x1p-126f}, 0.0f},
    {"the largest denormal over the smallest scale is almost 1",
     0x0.fffffep-126f,
     {.scale = 0x1p-126f},
     1.0f},
    {"minus zero is plus zero", -0.0f, {.scale = 1.0f}, 0.0f},
    {"a quotient that rounds to minus zero is plus zero", -0.25f, {.scale = 1.0f}, 0.0f},
};

TEST(Affine, PutsEachValueWhereTheContractSays) {
  for (const PositionCase& c : kPositions) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(bits(grid_position(c.r, c.grid)), bits(c.position)) << grid_position(c.r, c.grid);
  }
}

TEST(Affine, TheReciprocalWouldGiveOtherCodesAtAFifthOfTheHalfStepsOfSomeScales) {
  const AffineGrid grid{.scale = 1.7f};
  int differing = 0;
  for (int code = -128; code <= 127; ++code) {
    const float r = static_cast<float>((code + 0.5) * double{grid.scale});
    differing += rintf(r * (1.0f / grid.scale)) != grid_position(r, grid);
  }
  EXPECT_EQ(differing, 52);
}

TEST(Affine, RoundTripsEveryCodeOfEveryZeroPoint) {
  for (const float scale :
       {kMinScale, 0x1.000002p-126f, 0x1.fffffep-126f, 1e-30f, 0.1f, 1.0f / 3.0f, 1.0f, 1e30f}) {
    SCOPED_TRACE(scale);
    std::int64_t differing = 0;
    for (std::int32_t zero_point = -128; zero_point <= 127; ++zero_point) {
      const AffineGrid grid{.scale = scale, .zero_point = zero_point};
      for (std::int32_t code = -128; code <= 127; ++code) {
        const float position = grid_position(dequantize(code, grid), grid);
        differing += code_at(position, grid) != code || is_clipped(position, grid);
      }
    }
    EXPECT_EQ(differing, 0);
  }
}

TEST(Affine, DequantizeRoundsOnceAndNeverGivesMinusZero) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    for (std::int32_t code = c.grid.qmin; code <= c.grid.qmax; ++code)
      EXPECT_EQ(bits(dequantize(code, c.grid)), bits(oracle::dequantize(code, to_oracle(c.grid)))) << code;
    EXPECT_EQ(bits(dequantize(c.grid.zero_point, c.grid)), 0u);
  }
}

TEST(Affine, NaNIsClippedAndTakesTheCodeOfTheRealZero) {
  for (const float nan : nans()) {
    const AffineGrid grid{.scale = 0.1f, .zero_point = 7};
    const float position = grid_position(nan, grid);
    EXPECT_TRUE(std::isnan(position));
    EXPECT_TRUE(is_clipped(position, grid));
    EXPECT_EQ(code_at(position, grid), 7);
  }
}

// The widest grids that AffineGrid allows: beyond ±2^22 a sum with the zero point could round back into the
// range.
TEST(Affine, SumsWithTheZeroPointAreExactOrFarOutsideTheRange) {
  constexpr std::int32_t kLimit = 1 << 22;
  for (const std::int32_t zero_point : {-kLimit, -1, 0, 1, kLimit}) {
    SCOPED_TRACE(zero_point);
    const AffineGrid grid{.scale = 0.1f, .zero_point = zero_point, .qmin = -kLimit, .qmax = kLimit};
    expect_oracle(range_edges(grid), grid);
    expect_oracle(large_quotients(grid), grid);
    expect_oracle(special_values(), grid);
  }
}

struct RangeCase {
  const char* why;
  float min, max;
  std::int32_t qmin, qmax;
  bool symmetric;
  AffineGrid grid;
};
const RangeCase kRanges[] = {
    {"constant zero", 0.0f, 0.0f, -128, 127, false, {1.0f, 0, -128, 127}},
    {"constant minus zero", -0.0f, -0.0f, -128, 127, true, {1.0f, 0, -128, 127}},
    {"constant zero and no code 0", 0.0f, 0.0f, 1, 15, false, {1.0f, 1, 1, 15}},
    {"an affine range in whole steps", -1.0f, 254.0f, -128, 127, false, {1.0f, -127, -128, 127}},
    {"a positive range starts at 0", 3.0f, 255.0f, -128, 127, false, {1.0f, -128, -128, 127}},
    {"a negative range ends at 0", -255.0f, -3.0f, -128, 127, false, {1.0f, 127, -128, 127}},
    {"a symmetric range of narrow codes", -2.0f, 127.0f, -127, 127, true, {1.0f, 0, -127, 127}},
    {"the side with fewer codes decides", -128.0f, 254.0f, -128, 127, true, {2.0f, 0, -128, 127}},
    {"the other side decides", -256.0f, 127.0f, -128, 127, true, {2.0f, 0, -128, 127}},
    {"int4", -8.0f, 1.0f, -8, 7, true, {1.0f, 0, -8, 7}},
    {"denormals get the smallest scale", -0x1p-149f, 0x1p-140f, -128, 127, true, {kMinScale, 0, -128, 127}},
    {"denormals, affine: -0.5 of a step is 0",
     -0x1p-127f,
     0.0f,
     -128,
     127,
     false,
     {kMinScale, -128, -128, 127}},
    {"all floats: no overflow", -kLargest, kLargest, -128, 127, false, {0x1.01010p+121f, 0, -128, 127}},
};

TEST(GridOfRange, CoversTheRangeAsTheContractSays) {
  for (const RangeCase& c : kRanges) {
    SCOPED_TRACE(c.why);
    const AffineGrid grid = grid_of_range(c.min, c.max, c.qmin, c.qmax, c.symmetric);
    EXPECT_EQ(grid.zero_point, c.grid.zero_point);
    EXPECT_EQ(bits(grid.scale), bits(c.grid.scale)) << std::hexfloat << grid.scale;
    EXPECT_EQ(grid.qmin, c.qmin);
    EXPECT_EQ(grid.qmax, c.qmax);
  }
}

/// A float whose exponent is as likely tiny as huge.
float any_finite(Random& random) {
  const auto exponent = static_cast<std::uint32_t>(random_int(random, 0, 254));
  return std::bit_cast<float>((static_cast<std::uint32_t>(random()) & 0x807FFFFFu) | exponent << 23);
}

struct CodeRange {
  std::int32_t qmin, qmax;
  bool symmetric;
};
constexpr CodeRange kCodeRanges[] = {{-128, 127, false}, {-127, 127, true}, {-128, 127, true}, {-8, 7, false},
                                     {-8, 7, true},      {-2, 1, false},    {0, 15, false},    {-1, 1, true}};

TEST(GridOfRange, MatchesTheOracleOnRandomRanges) {
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    const float a = any_finite(random), b = any_finite(random);
    const CodeRange& codes = kCodeRanges[i % std::size(kCodeRanges)];
    const AffineGrid grid =
        grid_of_range(std::min(a, b), std::max(a, b), codes.qmin, codes.qmax, codes.symmetric);
    const oracle::Grid expected =
        oracle::grid_of_range(std::min(a, b), std::max(a, b), codes.qmin, codes.qmax, codes.symmetric);
    ASSERT_EQ(bits(grid.scale), bits(expected.scale)) << std::hexfloat << a << " " << b;
    ASSERT_EQ(grid.zero_point, expected.zero_point) << std::hexfloat << a << " " << b;
  }
}

TEST(GridOfRange, GivesAGridThatKernelsAcceptWithTheRealZeroOnIt) {
  Random random(2);
  for (int i = 0; i < 200'000; ++i) {
    const float a = any_finite(random), b = any_finite(random);
    const CodeRange& codes = kCodeRanges[i % std::size(kCodeRanges)];
    const AffineGrid grid =
        grid_of_range(std::min(a, b), std::max(a, b), codes.qmin, codes.qmax, codes.symmetric);
    ASSERT_TRUE(std::isfinite(grid.scale) && grid.scale >= kMinScale) << std::hexfloat << a << " " << b;
    ASSERT_TRUE(grid.qmin <= grid.zero_point && grid.zero_point <= grid.qmax)
        << std::hexfloat << a << " " << b;
    ASSERT_EQ(code_at(grid_position(0.0f, grid), grid), grid.zero_point);
    ASSERT_TRUE(!codes.symmetric || grid.zero_point == 0);
  }
}

// The zero point is rounded, so that one end may move by half a step; a symmetric grid moves neither.
TEST(GridOfRange, ReachesBothEndsToWithinHalfAStep) {
  Random random(3);
  for (int i = 0; i < 200'000; ++i) {
    const std::vector<float> ends = random_floats(random, 2, 100.0f);
    const CodeRange& codes = kCodeRanges[i % std::size(kCodeRanges)];
    const float min = std::min(ends[0], ends[1]), max = std::max(ends[0], ends[1]);
    const AffineGrid grid = grid_of_range(min, max, codes.qmin, codes.qmax, codes.symmetric);
    for (const float end : {min, max}) {
      const double error = double{end} - double{dequantize(code_at(grid_position(end, grid), grid), grid)};
      ASSERT_LE(std::abs(error), grid.scale * 0.5001) << min << " " << max << " at " << end;
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
