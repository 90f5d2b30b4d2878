// kernels/common/philox.h against published vectors, kernels/quantize/stochastic.h against the oracle and
// against its own promise: the mean of the codes is the quotient.
#include "kernels/quantize/stochastic.h"

#include <gmock/gmock.h>

#include "tests/kernels/affine_cases.h"
#include "tests/kernels/granularities.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {
namespace {

class Philox : public testing::Test {};
class QuantizeStochastic : public KernelTest {};

TEST_F(Philox, GivesTheKnownAnswersOfRandom123) {
  struct Case {
    PhiloxBlock counter;
    std::uint64_t key;
    std::uint32_t words[4];
  };
  const Case kCases[] = {
      {{{0, 0, 0, 0}}, 0, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
      {{{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}},
       0xffffffffffffffffu,
       {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
      {{{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}},
       0x299f31d0a4093822u,
       {0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u}},
  };
  for (const Case& c : kCases) EXPECT_THAT(philox(c.counter, c.key).word, testing::ElementsAreArray(c.words));
}

TEST_F(Philox, CountsFourElementsABlockAndMoreThan32BitsOfBlocks) {
  for (const std::uint64_t element :
       {0ull, 1ull, 3ull, 4ull, 1234567ull, (1ull << 34) - 1, 1ull << 34, 3ull << 40}) {
    for (const std::uint64_t seed : {0ull, 42ull, 0xfedcba9876543210ull}) {
      for (const std::uint64_t stream : {0ull, 7ull, 1ull << 32})
        EXPECT_EQ(random_word(seed, stream, element), oracle::philox_word(seed, stream, element)) << element;
    }
  }
}

TEST_F(Philox, UnitFloatsBeginAtZeroAndEndBelowOne) {
  EXPECT_EQ(unit_float(0xFFu), 0.0f);
  EXPECT_EQ(unit_float(0x100u), 0x1p-24f);
  EXPECT_EQ(unit_float(0xFFFFFFFFu), 1.0f - 0x1p-24f);
}

constexpr std::uint64_t kSeed = 0x123456789abcdef0u, kStream = 0x1122334455667788u;

template <class GridOf>
Expected expect_stochastic(const std::vector<float>& x, GridOf grid_of) {
  Expected expected{.codes = std::vector<std::int8_t>(x.size()),
                    .clip_mask = std::vector<std::uint8_t>((x.size() + 7) / 8)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const oracle::Grid grid = to_oracle(grid_of(static_cast<std::int64_t>(i)));
    const double position = oracle::stochastic_position(x[i], oracle::philox_word(kSeed, kStream, i), grid);
    const bool inside = position >= grid.qmin && position <= grid.qmax;
    const double clamped = position < grid.qmin ? grid.qmin : position > grid.qmax ? grid.qmax : position;
    expected.codes[i] = static_cast<std::int8_t>(std::isnan(position) ? grid.zero_point : clamped);
    if (!inside) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= std::isnan(x[i]);
  }
  return expected;
}

void expect_oracle(const std::vector<float>& x, const AffineGrid& grid) {
  const Expected expected = expect_stochastic(x, [&](std::int64_t) { return grid; });
  for (const auto& entry : under_test(quantize_stochastic)) {
    SCOPED_TRACE(entry.name);
    for (const bool with_mask : {true, false}) {
      std::vector<std::int8_t> codes(x.size());
      const std::vector<std::uint8_t> untouched(expected.clip_mask.size(), 0xA5);
      std::vector<std::uint8_t> clip_mask = untouched;
      const StochasticArgs args{.x = x.data(),
                                .codes = codes.data(),
                                .clip_mask = with_mask ? clip_mask.data() : nullptr,
                                .seed = kSeed,
                                .stream = kStream};
      EXPECT_EQ(entry.run(args, table_of(grid), 0, std::ssize(x)), expected.saw_nan);
      EXPECT_EQ(first_difference(codes, expected.codes), "");
      EXPECT_EQ(first_difference(clip_mask, with_mask ? expected.clip_mask : untouched), "");
    }
  }
}

TEST_F(QuantizeStochastic, MatchesTheOracleOnHardValuesOfEveryGrid) {
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    expect_oracle(hard_values(c.grid), c.grid);
  }
}

TEST_F(QuantizeStochastic, MatchesTheOracleOnSampledFloats) {
  for (const AffineGrid& grid :
       {AffineGrid{0.1f, 0}, AffineGrid{0x1.fffffep-3f, -37}, AffineGrid{kMinScale, 5}}) {
    SCOPED_TRACE(grid.scale);
    for (std::uint32_t first = 0; first < 1u << 24; first += 1u << 20)
      expect_oracle(sampled_patterns(first, 1u << 14), grid);
  }
}

TEST_F(QuantizeStochastic, GoesUpFromExactlyTheDrawThatReachesTheThreshold) {
  std::vector<float> reaches, misses;  // 1 - fraction is the draw itself, and 2^-24 above it
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const float u = std::ldexp(static_cast<float>(oracle::philox_word(kSeed, kStream, i) >> 8), -24);
    reaches.push_back(1.0f - u);
    misses.push_back(1.0f - u - 0x1p-24f);
  }
  const AffineGrid grid{.scale = 1.0f};
  for (const auto& entry : under_test(quantize_stochastic)) {
    std::vector<std::int8_t> codes(1000);
    const auto run = [&](const std::vector<float>& x) {
      entry.run({x.data(), codes.data(), nullptr, FloatType::kFloat32, kSeed, kStream}, table_of(grid), 0,
                1000);
      return codes;
    };
    EXPECT_THAT(run(reaches), testing::Each(1)) << entry.name;
    EXPECT_THAT(run(misses), testing::Each(0)) << entry.name;
  }
}

TEST_F(QuantizeStochastic, WritesItsElementsAndNothingElseForEveryType) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(1);
  for (const StoredType& stored : kStoredTypes) {
    for (const std::int64_t n : kCounts) {
      const Bytes values = encoded(random_floats(random, n, 16.0f), stored.type);
      const Expected expected =
          expect_stochastic(decoded(values, stored.type), [&](std::int64_t) { return grid; });
      for (const std::int64_t offset : {0, 1, 3, 7}) {
        SCOPED_TRACE(testing::Message() << stored.name << ", " << n << " elements, offset " << offset);
        const Unaligned<std::uint8_t> x(values, offset * stored.bytes);
        for (const auto& entry : under_test(quantize_stochastic)) {
          Guarded<std::int8_t> codes(n, offset);
          Guarded<std::uint8_t> clip_mask((n + 7) / 8, offset);
          entry.run({x.data(), codes.data(), clip_mask.data(), stored.type, kSeed, kStream}, table_of(grid),
                    0, n);
          EXPECT_EQ(first_difference(codes.values(), expected.codes), "") << entry.name;
          EXPECT_EQ(first_difference(clip_mask.values(), expected.clip_mask), "") << entry.name;
          EXPECT_TRUE(codes.guards_untouched() && clip_mask.guards_untouched()) << entry.name;
        }
      }
    }
  }
}

TEST_F(QuantizeStochastic, GivesTheSameBitsAtEveryGranularityAndCut) {
  Random random(2);
  for (const Granularity& c : all_granularities()) {
    SCOPED_TRACE(c.why);
    const Grids grids(c.grids());
    const GridTable table = c.table(grids.scale.data(), grids.zero_point.data());
    const std::vector<float> x = random_floats(random, c.elements(), 20.0f);
    const Expected expected =
        expect_stochastic(x, [&](std::int64_t i) { return grids.grid(c.grid_index(i)); });
    for (const auto& entry : under_test(quantize_stochastic)) {
      for (const std::int64_t step : {std::int64_t{8}, std::int64_t{1}, c.elements()}) {
        std::vector<std::int8_t> codes(x.size());
        std::vector<std::uint8_t> clip_mask(expected.clip_mask.size());
        auto pieces = random_pieces(random, c.elements(), step);
        if (step == 8) std::shuffle(pieces.begin(), pieces.end(), random);
        for (const auto& [first, last] : pieces)
          entry.run({x.data(), codes.data(), clip_mask.data(), FloatType::kFloat32, kSeed, kStream}, table,
                    first, last);
        EXPECT_EQ(first_difference(codes, expected.codes), "") << entry.name << ", step " << step;
        EXPECT_EQ(first_difference(clip_mask, expected.clip_mask), "") << entry.name << ", step " << step;
      }
    }
  }
}

/// The mean code of n copies of `x` on a grid of scale 1.
double mean_code(float x, std::int64_t n, std::uint64_t seed, std::uint64_t stream) {
  const AffineGrid grid{.scale = 1.0f};
  const std::vector<float> values(n, x);
  std::vector<std::int8_t> codes(n);
  quantize_stochastic({values.data(), codes.data(), nullptr, FloatType::kFloat32, seed, stream},
                      table_of(grid), 0, n);
  double sum = 0;
  for (const std::int8_t code : codes) sum += code;
  return sum / static_cast<double>(n);
}

TEST_F(QuantizeStochastic, TheMeanOfTheCodesIsTheQuotient) {
  constexpr std::int64_t kCount = 1 << 20;
  for (const float x : {0.5f, 0.25f, 0.1f, 0.001f, 0.999f, -0.5f, -0.1f, -0.001f, 3.3f, -77.7f, 100.01f}) {
    const double fraction = x - std::floor(x);
    const double sigma = std::sqrt(fraction * (1 - fraction) / kCount);
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      EXPECT_NEAR(mean_code(x, kCount, seed, 0), x, 5 * sigma) << "seed " << seed;
      EXPECT_NEAR(mean_code(x, kCount, 0, seed), x, 5 * sigma) << "stream " << seed;
    }
  }
}

TEST_F(QuantizeStochastic, AValueOnTheGridKeepsItsCode) {
  for (const float x : {-128.0f, -1.0f, -0.0f, 0.0f, 1.0f, 127.0f})
    EXPECT_EQ(mean_code(x, 1 << 20, 5, 0), x) << "any draw of " << (1 << 20) << " that moved it would show";
}

TEST_F(QuantizeStochastic, AnotherSeedOrStreamMakesOtherChoices) {
  const std::vector<float> x(4096, 0.5f);
  const AffineGrid grid{.scale = 1.0f};
  const auto codes_of = [&](std::uint64_t seed, std::uint64_t stream) {
    std::vector<std::int8_t> codes(x.size());
    quantize_stochastic({x.data(), codes.data(), nullptr, FloatType::kFloat32, seed, stream}, table_of(grid),
                        0, std::ssize(x));
    return codes;
  };
  const auto first = codes_of(1, 0);
  EXPECT_EQ(codes_of(1, 0), first);
  for (const auto& other :
       {codes_of(2, 0), codes_of(1ull << 32 | 1, 0), codes_of(1, 1), codes_of(1, 1ull << 32)}) {
    std::int64_t differing = 0;
    for (std::size_t i = 0; i < x.size(); ++i) differing += first[i] != other[i];
    EXPECT_NEAR(static_cast<double>(differing), 2048, 5 * 32);  // half, within 5 sigma
  }
}

}  // namespace
}  // namespace samebits::kernels
