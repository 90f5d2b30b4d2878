// kernels/formats/fake_quantize_small_float.h against a search among all values of the format, by bits.
#include "kernels/formats/fake_quantize_small_float.h"

#include <gmock/gmock.h>

#include "kernels/quantize/fake_quantize.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/small_floats.h"

namespace samebits::kernels {
namespace {

class FakeQuantizeSmallFloat : public KernelTest {};
class DecodeFloat : public KernelTest {};

/// A table of one run of n elements.
GridTable one_scale(const float& scale, std::int64_t n) {
  return {&scale, nullptr, 0, 0, n, n, 1};
}
constexpr float kUnitScale = 1.0f;

struct ExpectedFloats {
  std::vector<float> y;
  std::vector<std::uint8_t> codes, clip_mask;
  bool saw_nan = false;
};

float real_of(int code, const oracle::SmallFloat& definition, float scale) {
  const double value = oracle::decode(code, definition);
  return std::isnan(value) ? float_of_bits(0x7FC00000u) : oracle::multiply(static_cast<float>(value), scale);
}

template <class ScaleOf>
ExpectedFloats expect_floats(const std::vector<float>& x, const FormatCase& c, Overflow overflow,
                             ScaleOf scale_of) {
  const oracle::SmallFloatSearch search(c.definition);
  ExpectedFloats expected;
  expected.clip_mask.resize((x.size() + 7) / 8);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scale = scale_of(static_cast<std::int64_t>(i));
    const auto [code, clipped, is_nan] =
        search.encode(oracle::divide(x[i], scale), overflow == Overflow::kSaturate);
    expected.codes.push_back(static_cast<std::uint8_t>(code));
    expected.y.push_back(real_of(code, c.definition, scale));
    if (clipped) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= is_nan;
  }
  return expected;
}

void expect_search(const std::vector<float>& x, const FormatCase& c, float scale) {
  const std::int64_t n = std::ssize(x);
  for (const Overflow overflow : overflows_of(c)) {
    const ExpectedFloats expected = expect_floats(x, c, overflow, [&](std::int64_t) { return scale; });
    for (const auto& entry : under_test(fake_quantize_small_float)) {
      SCOPED_TRACE(testing::Message() << c.name << ", " << entry.name << ", scale " << scale);
      Guarded<float> y(n, 3);
      Guarded<std::uint8_t> codes(n, 3), clip_mask((n + 7) / 8, 3);
      const SmallFloatArgs args{x.data(), y.data(), codes.data(), clip_mask.data()};
      EXPECT_EQ(entry.run(args, c.format, overflow, one_scale(scale, n), 0, n), expected.saw_nan);
      EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
      EXPECT_EQ(first_difference(y.values(), expected.y), "");
      EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      EXPECT_TRUE(y.guards_untouched() && codes.guards_untouched() && clip_mask.guards_untouched());
    }
  }
}

TEST_F(FakeQuantizeSmallFloat, RoundsToTheNearestValueAtEveryValueAndMidpointAndTheirNeighbours) {
  for (const FormatCase& c : kFormats) {
    for (const float scale : {1.0f, 0.1f, 0x1.fffffep-3f, kMinScale, 0x1p120f}) {
      expect_search(hard_values_of(c), c, scale);
      std::vector<float> scaled = hard_values_of(c);
      for (float& v : scaled) v *= scale;
      expect_search(scaled, c, scale);
    }
  }
}

TEST_F(FakeQuantizeSmallFloat, RoundsToTheNearestValueOnRandomPatterns) {
  Random random(1);
  for (const FormatCase& c : kFormats) {
    std::vector<float> x(1 << 20);
    for (float& v : x) v = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    expect_search(x, c, 1.0f);
    expect_search(random_floats(random, 1 << 16, static_cast<float>(c.definition.largest()) * 0.15f), c,
                  0.1f);
  }
}

TEST_F(FakeQuantizeSmallFloat, TakesEveryPatternOfA16BitTypeAndRoundsItsResultsToIt) {
  const Bytes x = all_patterns();
  const std::int64_t n = std::ssize(x) / 2;
  for (const StoredType& stored : kShortTypes) {
    for (const FormatCase& c : kFormats) {
      const Overflow overflow = overflows_of(c).back();
      const float scale = 0.1f;
      const ExpectedFloats expected =
          expect_floats(decoded(x, stored.type), c, overflow, [&](std::int64_t) { return scale; });
      for (const auto& entry : under_test(fake_quantize_small_float)) {
        SCOPED_TRACE(testing::Message() << stored.name << ", " << c.name << ", " << entry.name);
        Bytes y = x;  // y may be x
        std::vector<std::uint8_t> codes(n), clip_mask(n / 8);
        const SmallFloatArgs args{y.data(), y.data(), codes.data(), clip_mask.data(), stored.type};
        EXPECT_TRUE(entry.run(args, c.format, overflow, one_scale(scale, n), 0, n));
        EXPECT_EQ(first_difference(y, encoded_results(expected.y, stored.type)), "");
        EXPECT_EQ(first_difference(codes, expected.codes), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
    }
  }
}

TEST_F(FakeQuantizeSmallFloat, WritesItsElementsAndNothingElseForEveryCount) {
  Random random(2);
  for (const FormatCase& c : kFormats)
    for (const std::int64_t n : kCounts) expect_search(random_floats(random, n, 8.0f), c, 0.7f);
}

TEST_F(FakeQuantizeSmallFloat, ReportsANaNWhereverItStandsAndOneThatItMakes) {
  for (const FormatCase& c : kFormats) {
    for (const std::int64_t n : {1, 8, 19}) {
      for (std::int64_t at = 0; at < n; ++at) {
        std::vector<float> x(n, -1.0f);
        expect_search(x, c, 0.5f);
        x[at] = kInfinity;
        expect_search(x, c, 0.5f);
        x[at] = nans()[at % nans().size()];
        expect_search(x, c, 0.5f);
      }
    }
  }
}

TEST_F(FakeQuantizeSmallFloat, KeepsTheMaskBitsBelowBeginAndClearsThoseFromEndOn) {
  const std::int64_t n = 24;
  const std::vector<float> x(n, 500.0f);  // all clipped
  for (std::int64_t begin = 0; begin < n; ++begin) {
    for (std::int64_t end = begin + 1; end <= n; ++end) {
      for (const auto& entry : under_test(fake_quantize_small_float)) {
        Guarded<float> y(n);
        Guarded<std::uint8_t> codes(n), clip_mask(n / 8);
        entry.run({x.data(), y.data(), codes.data(), clip_mask.data()}, kFloat8E4M3, Overflow::kSaturate,
                  one_scale(kUnitScale, n), begin, end);
        for (std::int64_t i = begin / 8 * 8; i < (end + 7) / 8 * 8; ++i) {
          const bool earlier = (Guarded<std::uint8_t>::kFill >> i % 8 & 1) != 0;
          ASSERT_EQ((clip_mask.data()[i / 8] >> i % 8 & 1) != 0, i < begin ? earlier : i < end) << entry.name;
        }
        ASSERT_TRUE(y.untouched_outside(begin, end) && codes.untouched_outside(begin, end)) << entry.name;
        ASSERT_TRUE(clip_mask.untouched_outside(begin / 8, (end + 7) / 8)) << entry.name;
      }
    }
  }
}

TEST_F(FakeQuantizeSmallFloat, LeavesOutWhatIsNotWantedAndMayWriteOverItsInput) {
  Random random(3);
  const std::vector<float> x = random_floats(random, 77, 600.0f);
  const float scale = 1.1f;
  const ExpectedFloats expected =
      expect_floats(x, kFormats[0], Overflow::kSaturate, [&](std::int64_t) { return scale; });
  for (const auto& entry : under_test(fake_quantize_small_float)) {
    std::vector<float> y = x;
    std::vector<std::uint8_t> codes(x.size());
    const GridTable table = one_scale(scale, std::ssize(x));
    entry.run({x.data(), nullptr, codes.data(), nullptr}, kFloat8E4M3, Overflow::kSaturate, table, 0,
              std::ssize(x));
    entry.run({y.data(), y.data(), nullptr, nullptr}, kFloat8E4M3, Overflow::kSaturate, table, 0,
              std::ssize(x));
    EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
    EXPECT_EQ(first_difference(y, expected.y), "") << entry.name;
  }
}

TEST_F(FakeQuantizeSmallFloat, GivesEachElementTheScaleOfItsRunInWhateverOrderThePiecesCome) {
  Random random(4);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const GridTable table = c.table(grids.scale.data());
    const std::vector<float> x = random_floats(random, c.elements(), 0.7f);
    const ExpectedFloats expected = expect_floats(
        x, kFormats[4], Overflow::kSaturate, [&](std::int64_t i) { return grids.scale[c.grid_index(i)]; });
    auto pieces = random_pieces(random, c.elements(), 8);
    std::shuffle(pieces.begin(), pieces.end(), random);
    Guarded<float> y(c.elements());
    Guarded<std::uint8_t> codes(c.elements()), clip_mask((c.elements() + 7) / 8);
    for (const auto& [first, last] : pieces)
      EXPECT_FALSE(fake_quantize_small_float({x.data(), y.data(), codes.data(), clip_mask.data()},
                                             kFloat4E2M1, Overflow::kSaturate, table, first, last));
    EXPECT_EQ(first_difference(y.values(), expected.y), "");
    EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
    EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
    EXPECT_TRUE(y.guards_untouched() && codes.guards_untouched() && clip_mask.guards_untouched());
  }
}

TEST_F(FakeQuantizeSmallFloat, TheScalePutsTheLargestMagnitudeAtTheLargestValue) {
  EXPECT_EQ(small_float_scale(kFloat8E4M3, 896.0f), 2.0f);
  EXPECT_EQ(small_float_scale(kFloat8E5M2, 0.0f), 1.0f);
  EXPECT_EQ(small_float_scale(kFloat8E5M2, 0x1p-120f), kMinScale);
}

TEST_F(FakeQuantizeSmallFloat, TheStraightThroughGradientStopsWhereItSaturated) {
  const std::vector<float> x = {448.0f, 464.0f,    465.0f,         -449.0f, -1e9f,
                                0.0f,   kInfinity, nans().front(), 1.0f};
  std::vector<float> grad(x.size(), 1.0f);
  std::vector<std::uint8_t> clip_mask(2);
  fake_quantize_small_float({x.data(), nullptr, nullptr, clip_mask.data()}, kFloat8E4M3, Overflow::kSaturate,
                            one_scale(kUnitScale, std::ssize(x)), 0, std::ssize(x));
  fake_quantize_backward(grad.data(), clip_mask.data(), grad.data(), 0, std::ssize(x), FloatType::kFloat32);
  EXPECT_THAT(grad, testing::ElementsAre(1, 1, 0, 1, 0, 1, 0, 0, 1));
}

TEST_F(DecodeFloat, GivesTheValueOfEveryCodeTimesTheScale) {
  for (const FormatCase& c : kFormats) {
    std::vector<std::uint8_t> codes;
    for (int code = 0; code < 2 * c.format.sign_code(); ++code)
      codes.push_back(static_cast<std::uint8_t>(code));
    for (const float scale : {1.0f, 0.1f, kMinScale}) {
      std::vector<float> expected;
      for (const std::uint8_t code : codes) expected.push_back(real_of(code, c.definition, scale));
      for (const auto& entry : under_test(decode_small_float_run)) {
        for (const std::int64_t begin : {0, 1, 5}) {
          SCOPED_TRACE(testing::Message() << c.name << ", " << entry.name << ", from " << begin);
          const std::int64_t end = std::ssize(codes) - begin % 3;
          Guarded<float> y(std::ssize(codes), 1);
          entry.run(codes.data(), y.data(), c.format, scale, begin, end);
          EXPECT_EQ(
              first_difference(y.values(begin, end), {expected.begin() + begin, expected.begin() + end}), "");
          EXPECT_TRUE(y.untouched_outside(begin, end));
        }
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
