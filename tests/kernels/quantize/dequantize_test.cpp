// kernels/quantize/dequantize.h against the oracle: one rounding an element.
#include "kernels/quantize/dequantize.h"

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels {
namespace {

class Dequantize : public KernelTest {};

std::vector<float> expect_reals(const std::vector<std::int8_t>& codes, const AffineGrid& grid) {
  std::vector<float> y;
  for (const std::int8_t code : codes) y.push_back(oracle::dequantize(code, to_oracle(grid)));
  return y;
}

TEST_F(Dequantize, RoundsTheProductOfEveryCodeAndZeroPointOnce) {
  std::vector<std::int8_t> codes(256);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::int8_t>(i - 128);
  for (const float scale : {kMinScale, 0.1f, 1.0f / 3.0f, 0x1.fffffep-3f, 0x1.000002p50f, 1e38f, kLargest}) {
    for (std::int32_t zero_point = -128; zero_point <= 127; ++zero_point) {
      SCOPED_TRACE(testing::Message() << scale << ", zero point " << zero_point);
      const AffineGrid grid{.scale = scale, .zero_point = zero_point};
      const std::vector<float> expected = expect_reals(codes, grid);
      for (const auto& entry : under_test(dequantize_codes)) {
        std::vector<float> y(256);
        entry.run(codes.data(), y.data(), table_of(grid), 0, 256, FloatType::kFloat32);
        ASSERT_EQ(first_difference(y, expected), "") << entry.name;
      }
    }
  }
}

TEST_F(Dequantize, WritesItsElementsAndNothingElse) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(1);
  for (const std::int64_t n : kCounts) {
    const std::vector<std::int8_t> values = random_codes(random, n);
    const std::vector<float> expected = expect_reals(values, grid);
    for (const std::int64_t offset : {0, 1, 3, 7, 15}) {
      SCOPED_TRACE(testing::Message() << n << " elements, " << offset << " off alignment");
      const Unaligned<std::int8_t> codes(values, offset);
      for (const auto& entry : under_test(dequantize_codes)) {
        Guarded<float> y(n, offset);
        entry.run(codes.data(), y.data(), table_of(grid), 0, n, FloatType::kFloat32);
        EXPECT_EQ(first_difference(y.values(), expected), "") << entry.name;
        EXPECT_TRUE(y.guards_untouched()) << entry.name;
      }
    }
  }
}

TEST_F(Dequantize, WorksOnAnyPart) {
  const AffineGrid grid{.scale = 0.3f, .zero_point = -5};
  Random random(2);
  const std::int64_t n = 50;
  const std::vector<std::int8_t> codes = random_codes(random, n);
  const std::vector<float> expected = expect_reals(codes, grid);
  for (std::int64_t begin = 0; begin <= n; ++begin) {
    for (std::int64_t end = begin; end <= n; ++end) {
      for (const auto& entry : under_test(dequantize_codes)) {
        Guarded<float> y(n);
        entry.run(codes.data(), y.data(), table_of(grid), begin, end, FloatType::kFloat32);
        const std::vector<float> part(expected.begin() + begin, expected.begin() + end);
        ASSERT_EQ(first_difference(y.values(begin, end), part), "")
            << entry.name << " " << begin << " " << end;
        ASSERT_TRUE(y.untouched_outside(begin, end)) << entry.name << " " << begin << " " << end;
      }
    }
  }
}

TEST_F(Dequantize, GivesEachElementTheGridOfItsRunInWhateverOrderThePiecesCome) {
  Random random(3);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const std::vector<std::int8_t> codes = random_codes(random, c.elements());
    for (const bool symmetric : {false, true}) {
      const GridTable table = c.table(grids.scale.data(), symmetric ? nullptr : grids.zero_point.data());
      std::vector<float> expected;
      for (std::int64_t i = 0; i < c.elements(); ++i) {
        AffineGrid grid = grids.grid(c.grid_index(i));
        if (symmetric) grid.zero_point = 0;
        expected.push_back(oracle::dequantize(codes[i], to_oracle(grid)));
      }
      auto pieces = random_pieces(random, c.elements(), 1);
      std::shuffle(pieces.begin(), pieces.end(), random);
      Guarded<float> y(c.elements());
      for (const auto& [first, last] : pieces)
        dequantize_codes(codes.data(), y.data(), table, first, last, FloatType::kFloat32);
      EXPECT_EQ(first_difference(y.values(), expected), "");
      EXPECT_TRUE(y.guards_untouched());
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
