// kernels/observe/observe_quantize.h against the oracle and a range by hand: one pass must give what two
// give.
#include "kernels/observe/observe_quantize.h"

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {
namespace {

class ObserveQuantize : public KernelTest {};
class ObserveFakeQuantize : public KernelTest {};

MinMax range_of(const std::vector<float>& x, std::int64_t begin, std::int64_t end) {
  MinMax range;
  for (std::int64_t i = begin; i < end; ++i) {
    range.saw_nan |= std::isnan(x[i]);
    if (std::isnan(x[i])) continue;
    range.min = std::fmin(range.min, x[i]) + 0.0f;
    range.max = std::fmax(range.max, x[i]) + 0.0f;
  }
  return range;
}
MinMax range_of(const std::vector<float>& x) {
  return range_of(x, 0, std::ssize(x));
}

void expect_range(const MinMax& got, const MinMax& expected) {
  EXPECT_EQ(bits(got.min), bits(expected.min)) << got.min << ", expected " << expected.min;
  EXPECT_EQ(bits(got.max), bits(expected.max)) << got.max << ", expected " << expected.max;
  EXPECT_EQ(got.saw_nan, expected.saw_nan);
}

/// Every entry of both kernels on the whole of x, `offset` elements off alignment.
void expect_oracle(const std::vector<float>& values, const AffineGrid& grid, std::int64_t offset = 0) {
  const Expected expected = expect_on(values, grid);
  const auto n = std::ssize(values), bytes = (n + 7) / 8;
  const Unaligned<float> x(values, offset);
  SCOPED_TRACE(testing::Message() << n << " elements, " << offset << " off alignment");
  for (const auto& entry : under_test(observe_quantize_run)) {
    SCOPED_TRACE(entry.name);
    for (const bool with_mask : {true, false}) {
      Guarded<std::int8_t> codes(n, offset);
      Guarded<std::uint8_t> clip_mask(bytes, offset);
      expect_range(entry.run({x.data(), codes.data(), with_mask ? clip_mask.data() : nullptr}, grid, 0, n),
                   range_of(values));
      EXPECT_EQ(first_difference(codes.values(), expected.codes), "");
      if (with_mask) {
        EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      }
      EXPECT_TRUE(codes.guards_untouched() && clip_mask.untouched_outside(0, with_mask ? bytes : 0));
    }
  }
  for (const auto& entry : under_test(observe_fake_quantize_run)) {
    SCOPED_TRACE(entry.name);
    Guarded<float> y(n, offset);
    Guarded<std::uint8_t> clip_mask(bytes, offset);
    expect_range(entry.run({x.data(), y.data(), clip_mask.data()}, grid, 0, n), range_of(values));
    EXPECT_EQ(first_difference(y.values(), expected.y), "");
    EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
    EXPECT_TRUE(y.guards_untouched() && clip_mask.guards_untouched());
  }
}

TEST_F(ObserveQuantize, MatchesTheOracleOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(hard_values(c.grid), c.grid);
  }
}

TEST_F(ObserveQuantize, MatchesTheOracleForEveryWidthOfCodes) {
  for (int width = 2; width <= 8; ++width) {
    SCOPED_TRACE(testing::Message() << width << " bits");
    for (const AffineGrid& grid : grids_of_width(width)) expect_oracle(hard_values(grid), grid);
  }
}

TEST_F(ObserveQuantize, MatchesTheOracleOnEvery4096thOfAllFloats) {
  constexpr std::uint32_t kChunk = 1u << 12;
  for (const AffineGrid& grid : {AffineGrid{1.0f / 3.0f, 19}, AffineGrid{0x1.000002p40f, 0}})
    for (std::uint32_t first = 0; first < 1u << 24 && !HasFailure(); first += 16 * kChunk)
      expect_oracle(sampled_patterns(first, kChunk), grid);
}

TEST_F(ObserveQuantize, WritesItsElementsAndNothingElseAtAnyAlignment) {
  Random random(1);
  for (const std::int64_t n : kCounts)
    for (const std::int64_t offset : {0, 1, 3, 7})
      expect_oracle(random_floats(random, n, 16.0f), {.scale = 0.1f, .zero_point = 3}, offset);
}

TEST_F(ObserveQuantize, SeesAnExtremeAndANaNAtEveryPlace) {
  for (const std::int64_t n : {1, 8, 16, 33}) {
    for (std::int64_t at = 0; at < n; ++at) {
      SCOPED_TRACE(testing::Message() << at << " of " << n);
      for (const float value : {-9.0f, 9.0f, nans()[at % nans().size()]}) {
        std::vector<float> x(n, 1.0f);
        x[at] = value;
        expect_oracle(x, {.scale = 0.1f, .zero_point = 7});
      }
    }
  }
}

TEST_F(ObserveQuantize, AnyCutGivesTheSameCodesMaskAndRange) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9};
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> x = random_floats(random, 1 + round * 7, 16.0f);
    if (round % 3 == 0) x[round] = nans().front();
    const Expected expected = expect_on(x, grid);
    const auto pieces = random_pieces(random, std::ssize(x), 1);
    for (const auto& entry : under_test(observe_quantize_run)) {
      SCOPED_TRACE(entry.name);
      std::vector<std::int8_t> codes(x.size());
      std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
      MinMax range;
      for (const auto& [first, last] : pieces) {
        const MinMax piece = entry.run({x.data(), codes.data(), clip_mask.data()}, grid, first, last);
        expect_range(piece, range_of(x, first, last));
        range = merge(range, piece);
      }
      expect_range(range, range_of(x));
      EXPECT_EQ(first_difference(codes, expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    }
  }
}

TEST_F(ObserveQuantize, TheDispatchedKernelsGiveTheSameBits) {
  const AffineGrid grid{.scale = 0.02f, .zero_point = 11};
  Random random(3);
  const std::vector<float> x = random_floats(random, 1001, 4.0f);
  const Expected expected = expect_on(x, grid);
  std::vector<std::int8_t> codes(1001);
  std::vector<float> y(1001);
  std::vector<std::uint8_t> clip_mask(126);
  expect_range(observe_quantize_run({x.data(), codes.data(), clip_mask.data()}, grid, 0, 1001), range_of(x));
  EXPECT_EQ(first_difference(codes, expected.codes), "");
  expect_range(observe_fake_quantize_run({x.data(), y.data(), clip_mask.data()}, grid, 0, 1001), range_of(x));
  EXPECT_EQ(first_difference(y, expected.y), "");
}

TEST_F(ObserveFakeQuantize, ObservesWhatWasThereBeforeItWritesInPlace) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -5};
  Random random(4);
  for (const std::int64_t n : kCounts) {
    const std::vector<float> x = random_floats(random, n, 30.0f);
    const Expected expected = expect_on(x, grid);
    for (const auto& entry : under_test(observe_fake_quantize_run)) {
      SCOPED_TRACE(testing::Message() << entry.name << ", " << n);
      std::vector<float> y = x;
      std::vector<std::uint8_t> clip_mask((n + 7) / 8);
      expect_range(entry.run({y.data(), y.data(), clip_mask.data()}, grid, 0, n), range_of(x));
      EXPECT_EQ(first_difference(y, expected.y), "");
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    }
  }
}

TEST_F(ObserveQuantize, WidensSixteenBitFloatsExactly) {
  for (const StoredType& stored : kStoredTypes) {
    for (const AffineGrid& grid :
         {AffineGrid{0.1f, 3}, AffineGrid{0x1p-126f, 0}, AffineGrid{0x1.000002p9f, -128}}) {
      SCOPED_TRACE(testing::Message() << stored.name << ", scale " << grid.scale);
      const Bytes x = stored.bytes == 2 ? all_patterns() : encoded(hard_values(grid), stored.type);
      const std::vector<float> values = decoded(x, stored.type);
      const Expected expected = expect_on(values, grid);
      for (const auto& entry : under_test(observe_quantize_run)) {
        SCOPED_TRACE(entry.name);
        std::vector<std::int8_t> codes(values.size());
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        const QuantizeArgs args{x.data(), codes.data(), clip_mask.data(), stored.type};
        expect_range(entry.run(args, grid, 0, std::ssize(values)), range_of(values));
        EXPECT_EQ(first_difference(codes, expected.codes), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
      const Bytes expected_y = encoded(expected.y, stored.type);
      for (const auto& entry : under_test(observe_fake_quantize_run)) {
        SCOPED_TRACE(entry.name);
        Bytes y(x.size());
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        const FakeQuantizeArgs args{x.data(), y.data(), clip_mask.data(), stored.type};
        expect_range(entry.run(args, grid, 0, std::ssize(values)), range_of(values));
        EXPECT_EQ(first_difference(y, expected_y), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
    }
  }
}

TEST_F(ObserveQuantize, WithAFoldedReluObservesAndQuantizesWhatIsLeftOfX) {
  Random random(5);
  for (const std::int64_t n : kCounts) {
    for (const float shift : {0.0f, -9.0f, 9.0f}) {  // both signs; nothing above 0; nothing below
      std::vector<float> x = random_floats(random, n, 8.0f);
      for (float& value : x) value += shift;
      if (n > 20) x[n / 2] = nans().front();
      std::vector<float> positive = x;
      for (float& value : positive)
        if (value <= 0.0f) value = 0.0f;
      const AffineGrid grid{.scale = 0.1f, .zero_point = -100};
      Expected expected = expect_on(positive, grid);
      for (std::int64_t i = 0; i < n; ++i)
        if (x[i] <= 0.0f) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
      for (const auto& entry : under_test(observe_quantize_run)) {
        SCOPED_TRACE(testing::Message() << entry.name << ", " << n << ", shift " << shift);
        std::vector<std::int8_t> codes(n);
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        const QuantizeArgs args{
            .x = x.data(), .codes = codes.data(), .clip_mask = clip_mask.data(), .fold_relu = true};
        expect_range(entry.run(args, grid, 0, n), range_of(positive));
        EXPECT_EQ(first_difference(codes, expected.codes), "");
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
