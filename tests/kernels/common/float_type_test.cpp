// kernels/common/float_type.h against the oracle's formats, and every kernel of the quantize family on 16-bit
// tensors.
#include "kernels/common/float_type.h"

#include "kernels/float/relu.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"
#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {
namespace {

class FloatTypes : public KernelTest {};

std::uint16_t rounded(float value, FloatType type) {
  return type == FloatType::kBfloat16 ? to_bfloat16(value).bits : to_float16(value).bits;
}

TEST_F(FloatTypes, WidensEvery16BitPatternToItsReal) {
  for (int pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    for (const FloatType type : {FloatType::kBfloat16, FloatType::kFloat16}) {
      const float got = type == FloatType::kBfloat16 ? to_float(Bfloat16{bits}) : to_float(Float16{bits});
      const auto expected = static_cast<float>(oracle::decode(bits, format_of(type)));
      if (std::isnan(expected))
        ASSERT_TRUE(std::isnan(got)) << pattern;
      else
        ASSERT_EQ(kernels::bits(got), kernels::bits(expected)) << pattern;
      if (!std::isnan(expected)) {
        ASSERT_EQ(rounded(got, type), bits) << "back again";
      }
    }
  }
}

TEST_F(FloatTypes, RoundsAtTheMiddleOfEveryTwoNeighboursToTheEvenOne) {
  for (const FloatType type : {FloatType::kBfloat16, FloatType::kFloat16}) {
    const int infinity = format_of(type).infinity();
    for (int pattern = 0; pattern < infinity; ++pattern) {
      const double below = oracle::decode(static_cast<std::uint16_t>(pattern), format_of(type));
      const double above =
          pattern + 1 == infinity
              ? 2 * below - oracle::decode(static_cast<std::uint16_t>(pattern - 1), format_of(type))
              : oracle::decode(static_cast<std::uint16_t>(pattern + 1), format_of(type));
      const auto middle = static_cast<float>(0.5 * (below + above));
      ASSERT_EQ(double{middle}, 0.5 * (below + above));
      for (const int sign : {0, 0x8000}) {
        const float m = sign == 0 ? middle : -middle;
        ASSERT_EQ(rounded(m, type), sign | (pattern % 2 == 0 ? pattern : pattern + 1)) << pattern;
        ASSERT_EQ(rounded(std::nextafter(m, 0.0f), type), sign | pattern);
        ASSERT_EQ(rounded(std::nextafter(m, 2 * m), type), sign | (pattern + 1));
      }
    }
  }
}

TEST_F(FloatTypes, KeepsNaNsNaNAndSaturatesNothing) {
  for (const FloatType type : {FloatType::kBfloat16, FloatType::kFloat16}) {
    for (const float nan : nans())
      EXPECT_TRUE(std::isnan(oracle::decode(rounded(nan, type), format_of(type))));
    EXPECT_EQ(rounded(kInfinity, type), format_of(type).infinity());
    EXPECT_EQ(rounded(-kInfinity, type), 0x8000 | format_of(type).infinity());
    EXPECT_EQ(rounded(kLargest, type), format_of(type).infinity());
  }
}

TEST_F(FloatTypes, RoundsSampledFloatsAsTheOracleDoes) {
  for (const float value : sampled_patterns(0, 1u << 24)) {
    if (std::isnan(value)) continue;
    ASSERT_EQ(to_bfloat16(value).bits, oracle::encode(value, oracle::kBfloat16)) << value;
    ASSERT_EQ(to_float16(value).bits, oracle::encode(value, oracle::kFloat16)) << value;
  }
}

/// Grids whose reals are exact, rounded, denormal and too large in the 16-bit types.
const AffineGrid kStoredGrids[] = {{.scale = 1.0f},
                                   {.scale = 0.1f, .zero_point = -7},
                                   {.scale = 1.0f / 3.0f, .zero_point = 127},
                                   {.scale = 0x1p-24f},
                                   {.scale = 0x1.3p-26f, .zero_point = 3},
                                   {.scale = 1000.0f},
                                   {.scale = 517.3f, .zero_point = -128},
                                   {.scale = kMinScale, .zero_point = 5},
                                   {.scale = 0x1.8p120f}};

TEST_F(FloatTypes, EveryPatternIsFakeQuantizedAsItsRealAndRoundedOnce) {
  for (const StoredType& stored : kStoredTypes) {
    if (stored.bytes == 4) continue;  // tests/kernels/quantize/fake_quantize_test.cpp
    const Bytes x = all_patterns();
    const std::vector<float> reals = decoded(x, stored.type);
    for (const AffineGrid& grid : kStoredGrids) {
      SCOPED_TRACE(testing::Message() << stored.name << ", scale " << grid.scale);
      const Expected expected = expect_on(reals, grid);
      const Bytes expected_y = encoded(expected.y, stored.type);
      for (const auto& entry : under_test(fake_quantize)) {
        Bytes y(x.size());
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        const FakeQuantizeArgs args{x.data(), y.data(), clip_mask.data(), stored.type};
        EXPECT_TRUE(entry.run(args, table_of(grid), 0, std::ssize(reals)));  // there are NaNs
        EXPECT_EQ(first_difference(y, expected_y), "") << entry.name;
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
      }
    }
  }
}

TEST_F(FloatTypes, EveryPatternIsQuantizedAsItsReal) {
  for (const StoredType& stored : kStoredTypes) {
    if (stored.bytes == 4) continue;
    const Bytes x = all_patterns();
    const std::vector<float> reals = decoded(x, stored.type);
    for (const AffineGrid& grid : kStoredGrids) {
      SCOPED_TRACE(testing::Message() << stored.name << ", scale " << grid.scale);
      const Expected expected = expect_on(reals, grid);
      for (const auto& entry : under_test(quantize)) {
        std::vector<std::int8_t> codes(reals.size());
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        const QuantizeArgs args{x.data(), codes.data(), clip_mask.data(), stored.type};
        EXPECT_TRUE(entry.run(args, table_of(grid), 0, std::ssize(reals)));
        EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
      }
    }
  }
}

TEST_F(FloatTypes, EveryCodeIsDequantizedAndRoundedOnceMore) {
  std::vector<std::int8_t> codes(256);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::int8_t>(i - 128);
  for (const StoredType& stored : kStoredTypes) {
    for (const AffineGrid& grid : kStoredGrids) {
      SCOPED_TRACE(testing::Message() << stored.name << ", scale " << grid.scale);
      std::vector<float> reals;
      for (const std::int8_t code : codes) reals.push_back(oracle::dequantize(code, to_oracle(grid)));
      for (const auto& entry : under_test(dequantize_codes)) {
        Bytes y(256 * stored.bytes);
        entry.run(codes.data(), y.data(), table_of(grid), 0, 256, stored.type);
        EXPECT_EQ(first_difference(y, encoded(reals, stored.type)), "") << entry.name;
      }
    }
  }
}

TEST_F(FloatTypes, WritesTheElementsOfEveryCountAndAlignmentAndNothingElse) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(1);
  for (const StoredType& stored : kStoredTypes) {
    for (const std::int64_t n : kCounts) {
      const Bytes values = encoded(random_floats(random, n, 16.0f), stored.type);
      const Expected expected = expect_on(decoded(values, stored.type), grid);
      for (const std::int64_t offset : {0, 1, 3, 7}) {
        SCOPED_TRACE(testing::Message() << stored.name << ", " << n << " elements, offset " << offset);
        const Unaligned<std::uint8_t> x(values, offset * stored.bytes);
        for (const auto& entry : under_test(fake_quantize)) {
          Guarded<std::uint8_t> y(n * stored.bytes, offset * stored.bytes), clip_mask((n + 7) / 8, offset);
          entry.run({x.data(), y.data(), clip_mask.data(), stored.type}, table_of(grid), 0, n);
          EXPECT_EQ(first_difference(y.values(), encoded(expected.y, stored.type)), "") << entry.name;
          EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "") << entry.name;
          EXPECT_TRUE(y.guards_untouched() && clip_mask.guards_untouched()) << entry.name;
        }
        for (const auto& entry : under_test(dequantize_codes)) {
          Guarded<std::uint8_t> y(n * stored.bytes, offset * stored.bytes);
          entry.run(expected.codes.data(), y.data(), table_of(grid), 0, n, stored.type);
          EXPECT_EQ(first_difference(y.values(), encoded(expected.y, stored.type)), "") << entry.name;
          EXPECT_TRUE(y.guards_untouched()) << entry.name;
        }
      }
    }
  }
}

TEST_F(FloatTypes, GivesEachElementTheGridOfItsRunAtEveryGranularity) {
  Random random(2);
  for (const StoredType& stored : kStoredTypes) {
    for (const Granularity& c : all_granularities()) {
      SCOPED_TRACE(testing::Message() << stored.name << ", " << c.why);
      const Grids grids(c.grids());
      const GridTable table = c.table(grids.scale.data(), grids.zero_point.data());
      const Bytes x = encoded(random_floats(random, c.elements(), 20.0f), stored.type);
      const Expected expected =
          expect_by(decoded(x, stored.type), [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
      std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> cuts = {
          random_pieces(random, c.elements(), 8), {{0, c.elements()}}};
      for (const auto& entry : under_test(fake_quantize)) {
        for (const auto& pieces : cuts) {
          Bytes y(x.size());
          std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
          for (const auto& [first, last] : pieces)
            entry.run({x.data(), y.data(), clip_mask.data(), stored.type}, table, first, last);
          EXPECT_EQ(first_difference(y, encoded(expected.y, stored.type)), "") << entry.name;
          EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
        }
      }
      cuts = {random_pieces(random, c.elements(), 1), {{0, c.elements()}}};
      for (const auto& entry : under_test(quantize)) {
        for (const auto& pieces : cuts) {
          std::vector<std::int8_t> codes(expected.codes.size());
          for (const auto& [first, last] : pieces)
            entry.run({x.data(), codes.data(), nullptr, stored.type}, table, first, last);
          EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name;
        }
      }
    }
  }
}

TEST_F(FloatTypes, ReluMovesTheBitsOfEveryPatternThatIsNotNegative) {
  for (const StoredType& stored : kStoredTypes) {
    if (stored.bytes == 4) continue;  // tests/kernels/float/relu_test.cpp
    const Bytes x = all_patterns();
    const std::vector<float> reals = decoded(x, stored.type);
    Bytes expected = x;
    std::vector<std::uint8_t> expected_mask(reals.size() / 8);
    for (std::size_t i = 0; i < reals.size(); ++i) {
      if (reals[i] < 0) expected[2 * i] = expected[2 * i + 1] = 0;
      if (reals[i] <= 0) expected_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    }
    for (const auto& entry : under_test(relu)) {
      for (const std::int64_t n : {std::ssize(reals), std::ssize(reals) - 11}) {
        Bytes y(expected.size());
        std::vector<std::uint8_t> clip_mask(reals.size() / 8);
        entry.run({x.data(), y.data(), clip_mask.data(), stored.type}, 0, n);
        for (std::int64_t i = n; i < std::ssize(reals); ++i) y[2 * i] = expected[2 * i];
        for (std::int64_t i = n; i < std::ssize(reals); ++i) y[2 * i + 1] = expected[2 * i + 1];
        if (n == std::ssize(reals)) {
          EXPECT_EQ(first_difference(clip_mask, expected_mask), "") << entry.name;
        }
        EXPECT_EQ(first_difference(y, expected), "") << entry.name << ", " << n;
      }
    }
  }
}

TEST_F(FloatTypes, BackwardMovesTheBitsOf16BitGradients) {
  Random random(3);
  const Bytes grad_y = all_patterns();
  const std::int64_t n = std::ssize(grad_y) / 2;
  std::vector<std::uint8_t> clip_mask(n / 8);
  for (auto& byte : clip_mask) byte = static_cast<std::uint8_t>(random());
  for (const auto& entry : under_test(fake_quantize_backward)) {
    for (const auto& [begin, end] :
         {std::pair{std::int64_t{0}, n}, {std::int64_t{3}, n - 5}, {std::int64_t{9}, std::int64_t{14}}}) {
      Bytes expected(grad_y.size(), 0xA5), grad_x(grad_y.size(), 0xA5);
      for (std::int64_t i = begin; i < end; ++i) {
        const bool clipped = (clip_mask[i / 8] >> i % 8 & 1) != 0;
        expected[2 * i] = clipped ? 0 : grad_y[2 * i];
        expected[2 * i + 1] = clipped ? 0 : grad_y[2 * i + 1];
      }
      for (const FloatType type : {FloatType::kBfloat16, FloatType::kFloat16}) {
        entry.run(grad_y.data(), clip_mask.data(), grad_x.data(), begin, end, type);
        EXPECT_EQ(first_difference(grad_x, expected), "") << entry.name;
      }
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
