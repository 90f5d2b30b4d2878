// kernels/quantize/fake_quantize.h against the oracle, by bits: values, clip mask, NaN flag and what must
// stay untouched.
#include "kernels/quantize/fake_quantize.h"

#include <gmock/gmock.h>

#include <utility>

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"

namespace samebits::kernels {
namespace {

class FakeQuantize : public KernelTest {};
class FakeQuantizeBackward : public KernelTest {};

/// Every entry on the whole of x.
void expect_oracle(const std::vector<float>& x, const AffineGrid& grid) {
  const Expected expected = expect_on(x, grid);
  const auto n = std::ssize(x);
  for (const auto& entry : under_test(fake_quantize)) {
    SCOPED_TRACE(entry.name);
    std::vector<float> y(n);
    std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
    const bool saw_nan = entry.run({x.data(), y.data(), clip_mask.data()}, table_of(grid), 0, n);
    EXPECT_EQ(first_difference(y, expected.y), "");
    EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "");
    EXPECT_EQ(saw_nan, expected.saw_nan);
  }
}

struct Case {
  const char* why;
  float x;
  AffineGrid grid;
  float y;
  bool clipped;
};
const Case kCases[] = {
    {"a tie goes to the even code below", 2.5f, {.scale = 1.0f}, 2.0f, false},
    {"a tie goes to the even code above", 3.5f, {.scale = 1.0f}, 4.0f, false},
    {"the tie is settled before the zero point is added",
     0.5f,
     {.scale = 1.0f, .zero_point = 1},
     0.0f,
     false},
    {"the quotient is a division; x * (1 / scale) gives code 16",
     0x1.8cccccp+0f,
     {.scale = 0.1f},
     1.5f,
     false},
    {"half a code above the range rounds out of it", 127.5f, {.scale = 1.0f}, 127.0f, true},
    {"half a code below the range rounds back into it", -128.5f, {.scale = 1.0f}, -128.0f, false},
    {"the last code is inside", 127.0f, {.scale = 1.0f}, 127.0f, false},
    {"infinity saturates", kInfinity, {.scale = 0.5f}, 63.5f, true},
    {"minus infinity saturates", -kInfinity, {.scale = 0.5f, .zero_point = -100}, -14.0f, true},
    {"a quotient that overflows saturates", -kLargest, {.scale = 0x1p-126f}, -0x1p-119f, true},
    {"minus zero becomes plus zero", -0.0f, {.scale = 1.0f}, 0.0f, false},
    {"what rounds to minus zero becomes plus zero", -0.3f, {.scale = 1.0f, .zero_point = 4}, 0.0f, false},
};

TEST_F(FakeQuantize, SettlesTiesEdgesAndInfinitiesAsTheContractSays) {
  for (const Case& c : kCases) {
    for (const std::int64_t n : {1, 8, 19}) {  // only a tail, only whole bytes, both
      SCOPED_TRACE(testing::Message() << c.why << ", n = " << n);
      const std::vector<float> x(n, c.x);
      for (const auto& entry : under_test(fake_quantize)) {
        std::vector<float> y(n);
        std::vector<std::uint8_t> clip_mask((n + 7) / 8);
        EXPECT_FALSE(entry.run({x.data(), y.data(), clip_mask.data()}, table_of(c.grid), 0, n)) << entry.name;
        EXPECT_EQ(first_difference(y, std::vector<float>(n, c.y)), "") << entry.name;
        for (std::int64_t i = 0; i < n; ++i)
          EXPECT_EQ((clip_mask[i / 8] >> i % 8 & 1) != 0, c.clipped) << entry.name;
      }
    }
  }
}

TEST_F(FakeQuantize, RoundsHalfToEvenAtEveryTie) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(ties(c.grid), c.grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleAtTheNeighboursOfEveryRangeEdge) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(range_edges(c.grid), c.grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleWhereFloatsStopHavingHalves) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(large_quotients(c.grid), c.grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleOnDenormalsInfinitiesAndNaNs) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(special_values(), c.grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleForEveryWidthOfCodes) {
  for (int width = 2; width <= 8; ++width) {
    SCOPED_TRACE(testing::Message() << width << " bits");
    for (const AffineGrid& grid : grids_of_width(width)) expect_oracle(hard_values(grid), grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleOnEvery256thOfAllFloats) {
  constexpr std::uint32_t kChunk = 1u << 16;
  for (const AffineGrid& grid :
       {AffineGrid{0.1f, 0}, AffineGrid{0x1.fffffep-3f, -37}, AffineGrid{kMinScale, 5}}) {
    SCOPED_TRACE(grid.scale);
    for (std::uint32_t first = 0; first < 1u << 24 && !HasFailure(); first += kChunk)
      expect_oracle(sampled_patterns(first, kChunk), grid);
  }
}

TEST_F(FakeQuantize, MatchesTheOracleNextToTiesForSignificandsOfAllKinds) {
  Random random(10);
  std::vector<std::int64_t> significands;
  for (std::int64_t i = 0; i < 16; ++i) {
    significands.push_back((1 << 23) + i);
    significands.push_back((1 << 24) - 1 - i);
    significands.push_back(random_int(random, 1 << 23, (1 << 24) - 1));
  }
  for (const std::int64_t significand : significands) {
    for (const int exponent : {-126, -101, 0, 119}) {
      const AffineGrid grid{.scale = std::ldexp(static_cast<float>(significand), exponent - 23),
                            .zero_point = static_cast<std::int32_t>(random_int(random, -128, 127))};
      SCOPED_TRACE(testing::Message() << std::hexfloat << grid.scale << ", zero point " << grid.zero_point);
      expect_oracle(ties(grid), grid);
    }
  }
}

TEST_F(FakeQuantize, ReportsANaNWhereverItStands) {
  for (const std::int64_t n : {1, 8, 16, 33}) {
    for (std::int64_t at = 0; at < n; ++at) {
      SCOPED_TRACE(testing::Message() << "NaN at " << at << " of " << n);
      std::vector<float> x(n, kInfinity);
      x[at] = nans()[at % nans().size()];
      expect_oracle(x, {.scale = 0.1f, .zero_point = 7});
    }
  }
}

TEST_F(FakeQuantize, WritesItsElementsAndNothingElse) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(1);
  for (const std::int64_t n : kCounts) {
    const std::vector<float> values = random_floats(random, n, 16.0f);
    const Expected expected = expect_on(values, grid);
    for (const std::int64_t offset : {0, 1, 3, 7}) {
      SCOPED_TRACE(testing::Message() << n << " elements, " << offset << " off alignment");
      const Unaligned<float> x(values, offset);
      for (const auto& entry : under_test(fake_quantize)) {
        Guarded<float> y(n, offset);
        Guarded<std::uint8_t> clip_mask((n + 7) / 8, offset);
        entry.run({x.data(), y.data(), clip_mask.data()}, table_of(grid), 0, n);
        EXPECT_EQ(first_difference(y.values(), expected.y), "") << entry.name;
        EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "") << entry.name;
        EXPECT_TRUE(y.guards_untouched() && clip_mask.guards_untouched()) << entry.name;
      }
    }
  }
}

TEST_F(FakeQuantize, KeepsTheMaskBitsBelowBeginAndClearsThoseFromEndOn) {
  const AffineGrid grid{.scale = 1.0f};
  const std::int64_t n = 40;
  const std::vector<float> x(n, 500.0f);  // all clipped
  for (std::int64_t begin = 0; begin < n; ++begin) {
    for (std::int64_t end = begin + 1; end <= n; ++end) {
      for (const auto& entry : under_test(fake_quantize)) {
        Guarded<float> y(n);
        Guarded<std::uint8_t> clip_mask(n / 8);
        entry.run({x.data(), y.data(), clip_mask.data()}, table_of(grid), begin, end);
        for (std::int64_t i = begin / 8 * 8; i < (end + 7) / 8 * 8; ++i) {
          const bool earlier = (Guarded<std::uint8_t>::kFill >> i % 8 & 1) != 0;
          const bool expected = i < begin ? earlier : i < end;
          ASSERT_EQ((clip_mask.data()[i / 8] >> i % 8 & 1) != 0, expected)
              << entry.name << ": bit " << i << " of [" << begin << ", " << end << ")";
        }
        ASSERT_TRUE(y.untouched_outside(begin, end)) << entry.name;
        ASSERT_TRUE(clip_mask.untouched_outside(begin / 8, (end + 7) / 8)) << entry.name;
      }
    }
  }
}

TEST_F(FakeQuantize, MayWriteOverItsInput) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(2);
  for (const std::int64_t n : kCounts) {
    const std::vector<float> x = random_floats(random, n, 16.0f);
    const Expected expected = expect_on(x, grid);
    for (const auto& entry : under_test(fake_quantize)) {
      std::vector<float> y = x;
      std::vector<std::uint8_t> clip_mask((n + 7) / 8);
      entry.run({y.data(), y.data(), clip_mask.data()}, table_of(grid), 0, n);
      EXPECT_EQ(first_difference(y, expected.y), "") << entry.name << ", " << n;
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name << ", " << n;
    }
  }
}

TEST_F(FakeQuantize, AnyCutIntoRunsGivesTheSameBits) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = -9};
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    const std::vector<float> x = random_floats(random, 1 + round * 7, 16.0f);
    const Expected expected = expect_on(x, grid);
    const auto pieces = random_pieces(random, std::ssize(x), 1);
    for (const auto& entry : under_test(fake_quantize)) {
      std::vector<float> y(x.size());
      std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
      for (const auto& [first, last] : pieces)
        entry.run({x.data(), y.data(), clip_mask.data()}, table_of(grid), first, last);
      EXPECT_EQ(first_difference(y, expected.y), "") << entry.name;
      EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name;
    }
  }
}

TEST_F(FakeQuantize, IsIdempotent) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    const std::vector<float> once = expect_on(hard_values(c.grid), c.grid).y;
    const Expected twice = expect_on(once, c.grid);
    EXPECT_EQ(first_difference(twice.y, once), "");
    EXPECT_THAT(twice.clip_mask, testing::Each(0));
    expect_oracle(once, c.grid);
  }
}

// As threads share a tensor: pieces in any order, cut at whole mask bytes.
TEST_F(FakeQuantize, GivesEachElementTheGridOfItsRunInWhateverOrderThePiecesCome) {
  Random random(4);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const GridTable table = c.table(grids.scale.data(), grids.zero_point.data());
    std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    x.back() = nans().front();
    const Expected expected = expect_by(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    for (int round = 0; round < 20; ++round) {
      Guarded<float> y(c.elements());
      Guarded<std::uint8_t> clip_mask((c.elements() + 7) / 8);
      auto pieces = random_pieces(random, c.elements(), 8);
      std::shuffle(pieces.begin(), pieces.end(), random);
      bool saw_nan = false;
      for (const auto& [first, last] : pieces)
        saw_nan |= fake_quantize({x.data(), y.data(), clip_mask.data()}, table, first, last);
      EXPECT_EQ(first_difference(y.values(), expected.y), "");
      EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "");
      EXPECT_TRUE(saw_nan && y.guards_untouched() && clip_mask.guards_untouched());
    }
  }
}

/// Gradients whose bits must survive, and random mask bytes.
struct Gradient {
  std::vector<float> grad_y;
  std::vector<std::uint8_t> clip_mask;
  std::vector<float> grad_x;

  Gradient(Random& random, std::int64_t n) : grad_y(random_floats(random, n, 1.0f)), clip_mask((n + 7) / 8) {
    const std::vector<float> special = special_values();
    for (std::int64_t i = 0; i < n; i += 3) grad_y[i] = special[i % special.size()];
    for (auto& byte : clip_mask) byte = static_cast<std::uint8_t>(random());
    grad_x = grad_y;
    for (std::int64_t i = 0; i < n; ++i)
      if ((clip_mask[i / 8] >> i % 8 & 1) != 0) grad_x[i] = 0.0f;
  }
};

TEST_F(FakeQuantizeBackward, StopsTheGradientExactlyWhereTheMaskIsSetAndKeepsAllOtherBits) {
  Random random(5);
  for (const std::int64_t n : kCounts) {
    const Gradient gradient(random, n);
    for (const std::int64_t offset : {0, 1, 5}) {
      const Unaligned<float> grad_y(gradient.grad_y, offset);
      const Unaligned<std::uint8_t> clip_mask(gradient.clip_mask, offset);
      for (const auto& entry : under_test(fake_quantize_backward)) {
        Guarded<float> grad_x(n, offset);
        entry.run(grad_y.data(), clip_mask.data(), grad_x.data(), 0, n, FloatType::kFloat32);
        EXPECT_EQ(first_difference(grad_x.values(), gradient.grad_x), "") << entry.name << ", " << n;
        EXPECT_TRUE(grad_x.guards_untouched()) << entry.name << ", " << n;
      }
    }
  }
}

TEST_F(FakeQuantizeBackward, WorksOnAnyPartAndWritesNothingElse) {
  Random random(6);
  const std::int64_t n = 41;
  const Gradient gradient(random, n);
  for (std::int64_t begin = 0; begin <= n; ++begin) {
    for (std::int64_t end = begin; end <= n; ++end) {
      for (const auto& entry : under_test(fake_quantize_backward)) {
        Guarded<float> grad_x(n);
        entry.run(gradient.grad_y.data(), gradient.clip_mask.data(), grad_x.data(), begin, end,
                  FloatType::kFloat32);
        const std::vector<float> expected(gradient.grad_x.begin() + begin, gradient.grad_x.begin() + end);
        ASSERT_EQ(first_difference(grad_x.values(begin, end), expected), "")
            << entry.name << " " << begin << " " << end;
        ASSERT_TRUE(grad_x.untouched_outside(begin, end)) << entry.name << " " << begin << " " << end;
      }
    }
  }
}

TEST_F(FakeQuantizeBackward, MayWriteOverTheGradientItReads) {
  Random random(7);
  for (const std::int64_t n : kCounts) {
    const Gradient gradient(random, n);
    for (const auto& entry : under_test(fake_quantize_backward)) {
      std::vector<float> grad = gradient.grad_y;
      entry.run(grad.data(), gradient.clip_mask.data(), grad.data(), 0, n, FloatType::kFloat32);
      EXPECT_EQ(first_difference(grad, gradient.grad_x), "") << entry.name << ", " << n;
    }
  }
}

TEST_F(FakeQuantizeBackward, TheDispatchedKernelGivesTheSameBits) {
  Random random(8);
  const Gradient gradient(random, 1000);
  std::vector<float> grad_x(1000);
  fake_quantize_backward(gradient.grad_y.data(), gradient.clip_mask.data(), grad_x.data(), 0, 1000,
                         FloatType::kFloat32);
  EXPECT_EQ(first_difference(grad_x, gradient.grad_x), "");
}

}  // namespace
}  // namespace samebits::kernels
