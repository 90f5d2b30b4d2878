// kernels/formats/mx.h against blocks computed in double from the standard's text, by bits.
#include "kernels/formats/mx.h"

#include <gmock/gmock.h>

#include "kernels/quantize/fake_quantize.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels {
namespace {

class Mx : public KernelTest {};

struct MxCase {
  const char* name;
  MxFormat format;
  const oracle::SmallFloat* definition;  // null: int8
};
const MxCase kMxFormats[] = {
    {"MXFP8 E4M3", kMxFloat8E4M3, &oracle::kE4M3}, {"MXFP8 E5M2", kMxFloat8E5M2, &oracle::kE5M2},
    {"MXFP6 E2M3", kMxFloat6E2M3, &oracle::kE2M3}, {"MXFP6 E3M2", kMxFloat6E3M2, &oracle::kE3M2},
    {"MXFP4 E2M1", kMxFloat4E2M1, &oracle::kE2M1}, {"MXINT8", kMxInt8, nullptr},
};

struct ExpectedMx {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, scales, clip_mask;
  bool saw_nan = false;
};

/// k of the block's scale 2^k.
int scale_exponent(double amax, const oracle::SmallFloat* definition) {
  if (amax == 0) return -127;
  const int largest_exponent = definition == nullptr ? 0 : std::ilogb(definition->largest());
  return std::max(std::ilogb(amax) - largest_exponent, -127);
}

void expect_element(float x, int k, const oracle::SmallFloat* definition, std::size_t i,
                    ExpectedMx& expected) {
  const double v = std::ldexp(double{x}, -k);
  double value;
  bool clipped;
  if (definition == nullptr) {
    const double steps = std::isinf(v) ? v : oracle::round_half_even(v * 64);
    clipped = std::fabs(steps) > 127;
    const double code = std::fmax(-127, std::fmin(127, steps));
    expected.codes[i] = static_cast<std::uint8_t>(static_cast<int>(code));
    value = code == 0 ? 0 : code / 64;
  } else {
    const oracle::SmallFloatCode code = oracle::SmallFloatSearch(*definition).encode(v, true);
    clipped = code.clipped;
    expected.codes[i] = static_cast<std::uint8_t>(code.code);
    value = oracle::decode(code.code, *definition);
  }
  expected.y[i] = static_cast<float>(std::ldexp(value, k));
  if (clipped) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
}

ExpectedMx expect_blocks(const std::vector<float>& x, std::size_t row_length,
                         const oracle::SmallFloat* definition) {
  ExpectedMx expected{.y = std::vector<float>(x.size()),
                      .codes = std::vector<std::uint8_t>(x.size()),
                      .clip_mask = std::vector<std::uint8_t>((x.size() + 7) / 8)};
  for (std::size_t row = 0; row < x.size(); row += row_length) {
    for (std::size_t first = row; first < row + row_length; first += 32) {
      const std::size_t last = std::min(first + 32, row + row_length);
      double amax = 0;
      bool has_nan = false;
      for (std::size_t i = first; i < last; ++i) {
        has_nan |= std::isnan(x[i]);
        amax = std::fmax(amax, std::fmin(std::fabs(x[i]), kLargest));
      }
      const int k = scale_exponent(amax, definition);
      expected.scales.push_back(static_cast<std::uint8_t>(has_nan ? 255 : k + 127));
      expected.saw_nan |= has_nan;
      for (std::size_t i = first; i < last; ++i) {
        if (!has_nan) {
          expect_element(x[i], k, definition, i, expected);
          continue;
        }
        expected.y[i] = std::bit_cast<float>(0x7FC00000u);
        expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
      }
    }
  }
  return expected;
}

void expect_standard(const std::vector<float>& x, std::int64_t row_length, const MxCase& c) {
  const ExpectedMx expected = expect_blocks(x, row_length, c.definition);
  const std::int64_t n = std::ssize(x), blocks = std::ssize(expected.scales);
  const MxRows rows{row_length};
  for (const auto& entry : under_test(fake_quantize_mx)) {
    SCOPED_TRACE(testing::Message() << c.name << ", " << entry.name << ", rows of " << row_length);
    Guarded<float> y(n, 1);
    Guarded<std::uint8_t> codes(n, 1), scales(blocks, 1), clip_mask((n + 7) / 8, 1);
    const MxArgs args{x.data(), y.data(), codes.data(), scales.data(), clip_mask.data()};
    EXPECT_EQ(entry.run(args, c.format, rows, 0, blocks), expected.saw_nan);
    EXPECT_EQ(first_difference(scales.values(), expected.scales), "");
    EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
    EXPECT_EQ(first_difference(y.values(), expected.y), "");
    EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
    EXPECT_TRUE(y.guards_untouched() && codes.guards_untouched());
    EXPECT_TRUE(scales.guards_untouched() && clip_mask.guards_untouched());
  }
}

/// Floats whose magnitudes spread over `binades` powers of two below 2^exponent.
std::vector<float> spread_floats(Random& random, std::int64_t n, int exponent, int binades) {
  std::vector<float> values = random_floats(random, n, 1.0f);
  for (float& value : values)
    value = std::ldexp(value, exponent - static_cast<int>(random_int(random, 0, binades)));
  return values;
}

TEST(MxRows, CutRowsIntoBlocksWhoseLastMayBeShort) {
  const MxRows rows{70};
  EXPECT_EQ(rows.blocks_per_row(), 3);
  EXPECT_EQ(rows.first_element(2), 64);
  EXPECT_EQ(rows.last_element(2), 70);
  EXPECT_EQ(rows.first_element(3), 70);
  EXPECT_EQ(rows.last_element(3), 102);
  for (const std::int64_t row_length : {1, 8, 20, 33, 64, 70}) {
    const MxRows any{row_length};
    for (int i = 0; i < 5; ++i) EXPECT_EQ(any.first_element(i * any.block_step()) % 8, 0) << row_length;
  }
}

TEST_F(Mx, GivesTheStandardsBlocksForEveryRowLength) {
  Random random(1);
  for (const MxCase& c : kMxFormats)
    for (const std::int64_t row_length : {1, 7, 8, 9, 31, 32, 33, 40, 63, 64, 65, 100})
      for (const std::int64_t rows : {1, 3, 8})
        expect_standard(spread_floats(random, rows * row_length, 3, 12), row_length, c);
}

TEST_F(Mx, GivesTheStandardsBlocksForScalesOfAllExponents) {
  Random random(2);
  for (const MxCase& c : kMxFormats) {
    std::vector<float> x;
    for (int exponent = -149; exponent <= 128; ++exponent) {
      std::vector<float> block = spread_floats(random, 32, exponent, 20);
      block[5] = std::ldexp(0x1.fffffep-1f, exponent);
      x.insert(x.end(), block.begin(), block.end());
    }
    expect_standard(x, 32, c);
  }
}

/// A block whose scale is 2^k and whose elements are `values` (finite) times it: the largest power of two
/// comes first.
std::vector<float> blocks_around(const std::vector<float>& values, const MxFormat& format, int k) {
  std::vector<float> x;
  for (const float value : values) {
    if (x.size() % 32 == 0) x.push_back(std::ldexp(1.0f, format.largest_exponent() + k));
    if (std::fabs(value) < std::ldexp(2.0f, format.largest_exponent())) x.push_back(std::ldexp(value, k));
  }
  return x;
}

TEST_F(Mx, RoundsEveryElementAtEveryValueAndMidpointAndTheirNeighbours) {
  for (const MxCase& c : kMxFormats) {
    std::vector<float> values;
    if (c.format.is_int8) {
      for (int half = -256; half <= 256; ++half)
        push_neighbours(static_cast<float>(half) / 128.0f, 2, values);
    } else {
      values = hard_values_of({c.name, c.format.element, *c.definition});
    }
    for (const int k : {0, -30, 100}) {
      const std::vector<float> x = blocks_around(values, c.format, k);
      expect_standard(x, std::ssize(x), c);
    }
  }
}

TEST_F(Mx, TakesEveryPatternOfA16BitTypeAndRoundsItsResultsToIt) {
  Bytes x = all_patterns();
  x.resize(2 * 65000);
  const std::int64_t n = 65000, row_length = 40, blocks = 2 * n / row_length;
  for (const StoredType& stored : kShortTypes) {
    for (const MxCase& c : kMxFormats) {
      const ExpectedMx expected = expect_blocks(decoded(x, stored.type), row_length, c.definition);
      for (const auto& entry : under_test(fake_quantize_mx)) {
        SCOPED_TRACE(testing::Message() << stored.name << ", " << c.name << ", " << entry.name);
        Bytes y = x;  // y may be x
        std::vector<std::uint8_t> codes(n), scales(blocks), clip_mask(n / 8);
        const MxArgs args{y.data(), y.data(), codes.data(), scales.data(), clip_mask.data(), stored.type};
        EXPECT_TRUE(entry.run(args, c.format, {row_length}, 0, blocks));
        EXPECT_EQ(first_difference(y, encoded_results(expected.y, stored.type)), "");
        EXPECT_EQ(first_difference(scales, expected.scales), "");
        EXPECT_EQ(first_difference(codes, expected.codes), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
    }
  }
}

TEST_F(Mx, ANaNSpoilsItsBlockAndNoOther) {
  Random random(3);
  for (const MxCase& c : kMxFormats) {
    for (const std::int64_t at : {0, 7, 31, 32, 69, 70, 139}) {
      std::vector<float> x = random_floats(random, 140, 4.0f);
      x[at] = nans()[at % nans().size()];
      x[at / 2] = kInfinity;
      expect_standard(x, 70, c);
    }
  }
}

TEST_F(Mx, InfinitySaturatesAndScalesItsBlockAsTheLargestFloat) {
  for (const MxCase& c : kMxFormats) {
    std::vector<float> x(64, 1.0f);
    x[3] = kInfinity;
    x[35] = -kLargest;
    x[36] = 0x1p126f;
    expect_standard(x, 32, c);
    std::vector<float> y(64);
    std::vector<std::uint8_t> scales(2);
    EXPECT_FALSE(
        fake_quantize_mx({x.data(), y.data(), nullptr, scales.data(), nullptr}, c.format, {32}, 0, 2));
    EXPECT_EQ(scales[0], scales[1]) << c.name;
    EXPECT_EQ(y[3], -y[35]) << c.name;
  }
}

TEST_F(Mx, AZeroBlockGetsTheSmallestScaleAndKeepsTheSignsOfFloats) {
  for (const MxCase& c : kMxFormats) {
    std::vector<float> x(40, 0.0f);
    x[1] = x[39] = -0.0f;
    expect_standard(x, 40, c);
    std::vector<std::uint8_t> scales(2, 9);
    fake_quantize_mx({x.data(), nullptr, nullptr, scales.data(), nullptr}, c.format, {40}, 0, 2);
    EXPECT_THAT(scales, testing::Each(0)) << c.name;
  }
}

struct KnownBlock {
  const char* why;
  MxFormat format;
  std::vector<float> x;
  std::uint8_t scale;
  std::vector<std::uint8_t> codes;
};
TEST_F(Mx, KnowsBlocksWorkedOutByHand) {
  const KnownBlock blocks[] = {
      {"E2M1: amax 6 has floor(log2) 2 = the format's: scale 1",
       kMxFloat4E2M1,
       {6, -4, 0.25f, 0.75f},
       127,
       {7, 14, 0, 2}},
      {"E2M1: 7 saturates at 6", kMxFloat4E2M1, {7, 5}, 127, {7, 6}},
      {"E2M1: 8 starts the next scale", kMxFloat4E2M1, {8, 5}, 128, {6, 4}},
      {"E4M3: amax 1 gives 2^-8", kMxFloat8E4M3, {1, -0.5f}, 119, {0x78, 0xF0}},
      {"int8: steps of 2^-6", kMxInt8, {1, -1, 0.5f, 1.984375f, -1.99609375f}, 127, {64, 192, 32, 127, 129}},
  };
  for (const KnownBlock& c : blocks) {
    for (const auto& entry : under_test(fake_quantize_mx)) {
      std::vector<std::uint8_t> codes(c.codes.size()), scales(1);
      const MxArgs args{c.x.data(), nullptr, codes.data(), scales.data(), nullptr};
      entry.run(args, c.format, {std::ssize(c.x)}, 0, 1);
      EXPECT_EQ(scales[0], c.scale) << c.why << ", " << entry.name;
      EXPECT_EQ(codes, c.codes) << c.why << ", " << entry.name;
    }
  }
}

TEST_F(Mx, PiecesOfWholeStepsInAnyOrderGiveTheSameBitsAndDecodeGivesThemBack) {
  Random random(4);
  for (const MxCase& c : kMxFormats) {
    for (const std::int64_t row_length : {5, 32, 40, 68, 96}) {
      SCOPED_TRACE(testing::Message() << c.name << ", rows of " << row_length);
      const MxRows rows{row_length};
      std::vector<float> x = spread_floats(random, 19 * row_length, 0, 10);
      x[row_length] = nans().front();
      const ExpectedMx expected = expect_blocks(x, row_length, c.definition);
      const std::int64_t n = std::ssize(x), blocks = std::ssize(expected.scales);
      auto pieces = random_pieces(random, blocks, rows.block_step());
      std::shuffle(pieces.begin(), pieces.end(), random);
      std::vector<float> y = x, decoded(n);  // y is x: each piece reads its own elements alone
      Guarded<std::uint8_t> codes(n), scales(blocks), clip_mask((n + 7) / 8);
      const MxArgs args{y.data(), y.data(), codes.data(), scales.data(), clip_mask.data()};
      for (const auto& [first, last] : pieces) fake_quantize_mx(args, c.format, rows, first, last);
      for (const auto& [first, last] : pieces)
        decode_mx_blocks(codes.data(), scales.data(), decoded.data(), c.format, rows, first, last);
      EXPECT_EQ(first_difference(y, expected.y), "");
      EXPECT_EQ(first_difference(decoded, expected.y), "");
      EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
      EXPECT_EQ(first_difference(scales.values(), expected.scales), "");
      EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      EXPECT_TRUE(codes.guards_untouched() && scales.guards_untouched() && clip_mask.guards_untouched());
    }
  }
}

// The largest element saturates rather than reach the next power of two, so the scale stays.
TEST_F(Mx, IsIdempotent) {
  Random random(5);
  for (const MxCase& c : kMxFormats) {
    const std::vector<float> x = spread_floats(random, 320, 2, 8);
    std::vector<float> once(x.size());
    fake_quantize_mx({x.data(), once.data(), nullptr, nullptr, nullptr}, c.format, {32}, 0, 10);
    expect_standard(once, 32, c);
    const ExpectedMx twice = expect_blocks(once, 32, c.definition);
    EXPECT_EQ(first_difference(twice.y, once), "") << c.name;
  }
}

TEST_F(Mx, DecodesTheInt8CodeThatItNeverWrites) {
  EXPECT_EQ(decode_mx(0x80, 127, kMxInt8), -2.0f);
}

TEST_F(Mx, TheStraightThroughGradientStopsWhereAnElementSaturated) {
  std::vector<float> x(9, 1.0f), grad(9, 1.0f);
  x[0] = 7.5f;  // saturates: the scale is that of amax 4 to 8, the largest value 6
  x[8] = -7.9f;
  std::vector<std::uint8_t> clip_mask(2);
  fake_quantize_mx({x.data(), nullptr, nullptr, nullptr, clip_mask.data()}, kMxFloat4E2M1, {9}, 0, 1);
  fake_quantize_backward(grad.data(), clip_mask.data(), grad.data(), 0, 9, FloatType::kFloat32);
  EXPECT_THAT(grad, testing::ElementsAre(0, 1, 1, 1, 1, 1, 1, 1, 0));
}

}  // namespace
}  // namespace samebits::kernels
