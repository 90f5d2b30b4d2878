// kernels/matmul/linear.h against the oracle: every kind of weight, any split into regions, and the bound on
// the depth.
#include "kernels/matmul/linear.h"

#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "tests/kernels/layers.h"

namespace samebits::kernels {
namespace {

class Linear : public KernelTest {};

/// A layer and its input, all at random.
struct Layer {
  std::int64_t m;
  oracle::Weights weights;
  std::vector<std::int8_t> x_codes;
  std::vector<float> bias, channel_scale;  // empty: none
  AffineGrid x_grid;
};
LayerTerms terms_of(const Layer& layer, const PackedWeight& packed) {
  const auto or_null = [](const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data();
  };
  return layer_terms(packed, layer.x_grid, or_null(layer.bias), or_null(layer.channel_scale));
}
Layer random_layer(Random& random, const WeightKind& kind, std::int64_t m, std::int64_t n, std::int64_t k) {
  const AffineGrid x_grid = kActivationGrids[random_int(random, 0, std::ssize(kActivationGrids) - 1)];
  Layer layer{.m = m, .weights = random_weights(random, kind, n, k), .x_grid = x_grid};
  layer.x_codes = random_codes(random, m * k, x_grid.qmin, x_grid.qmax);
  if (random_int(random, 0, 2) != 0) layer.bias = random_floats(random, n, 3.0f);
  if (random_int(random, 0, 1) != 0) layer.channel_scale = random_channel_scales(random, n);
  return layer;
}

/// Runs the regions, which cover y, and compares all of it.
void expect_oracle(const Layer& layer, const std::vector<GemmRegion>& regions) {
  const std::vector<float> expected = oracle::linear(layer.x_codes, layer.m, to_oracle(layer.x_grid),
                                                     layer.weights, layer.bias, layer.channel_scale);
  const Unaligned<std::int8_t> x_codes(layer.x_codes, 1);
  for (const WeightOrder order : linear_orders(layer.weights)) {
    SCOPED_TRACE(order == WeightOrder::kInt4 ? "4 bits" : "a byte a code");
    const PackedWeight packed = pack(layer.weights, order);
    const LayerTerms terms = terms_of(layer, packed);
    Guarded<float> y(layer.m * layer.weights.n, 1);
    for (const GemmRegion& region : regions) linear(packed, terms, x_codes.data(), y.data(), region);
    EXPECT_EQ(first_difference(y.values(), expected), "");
    EXPECT_TRUE(y.guards_untouched());
  }
}

TEST_F(Linear, MatchesTheOracleOnRandomLayersOfEveryKind) {
  Random random(1);
  for (const WeightKind& kind : kWeightKinds) {
    for (int round = 0; round < 40; ++round) {
      const std::int64_t m = random_int(random, 1, 60), n = random_int(random, 1, 50),
                         k = random_int(random, 1, 200);
      SCOPED_TRACE(testing::Message() << kind.why << ": m " << m << ", n " << n << ", k " << k);
      expect_oracle(random_layer(random, kind, m, n, k), {{0, m, 0, n}});
    }
  }
}

TEST_F(Linear, MatchesTheOracleAtSizesAroundItsBlocks) {
  Random random(2);
  for (const WeightKind& kind : {kWeightKinds[0], kWeightKinds[7]}) {
    for (const std::int64_t m : {1, 2, 5, 6, 7, 47, 48, 49, 97}) {
      for (const std::int64_t n : {1, 15, 16, 17, 32}) {
        for (const std::int64_t k : {1, 2, 31, 32, 33, 64, 1025}) {
          SCOPED_TRACE(testing::Message() << kind.why << ": m " << m << ", n " << n << ", k " << k);
          expect_oracle(random_layer(random, kind, m, n, k), {{0, m, 0, n}});
        }
      }
    }
  }
}

TEST_F(Linear, AnySplitIntoRegionsInAnyOrderGivesTheSameBits) {
  Random random(3);
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.why);
    for (int round = 0; round < 10; ++round) {
      const Layer layer = random_layer(random, kind, 100, 75, 70);
      std::vector<GemmRegion> regions;
      for (const auto& [row_begin, row_end] : random_pieces(random, 100, 1))
        for (const auto& [column_begin, column_end] : random_pieces(random, 75, 16))
          regions.push_back({row_begin, row_end, column_begin, column_end});
      std::shuffle(regions.begin(), regions.end(), random);
      expect_oracle(layer, regions);
    }
  }
}

TEST_F(Linear, AnotherPlaceOfTheChannelScaleWouldShowInTheseTests) {
  Random random(31);
  std::int64_t folded_first = 0, after_the_sum = 0;
  constexpr std::int64_t kChannels = 1000;
  const Layer layer = random_layer(random, kWeightKinds[0], 1, kChannels, 8);
  const std::vector<float> factors = random_floats(random, kChannels, 2.0f);
  const std::vector<float> right =
      oracle::linear(layer.x_codes, 1, to_oracle(layer.x_grid), layer.weights, {}, factors);
  const std::vector<float> plain =
      oracle::linear(layer.x_codes, 1, to_oracle(layer.x_grid), layer.weights, {});
  for (std::int64_t c = 0; c < kChannels; ++c) {
    const float into_weight = oracle::multiply(layer.weights.scale[c], factors[c]);
    oracle::Weights scaled{.n = 1, .k = 8, .scale = {into_weight}};
    scaled.codes.assign(layer.weights.codes.begin() + c * 8, layer.weights.codes.begin() + c * 8 + 8);
    folded_first +=
        bits(oracle::linear(layer.x_codes, 1, to_oracle(layer.x_grid), scaled, {})[0]) != bits(right[c]);
    after_the_sum += bits(oracle::multiply(plain[c], factors[c])) != bits(right[c]);
  }
  EXPECT_GT(folded_first, 100);
  EXPECT_GT(after_the_sum, 100);
}

TEST_F(Linear, WritesOnlyTheRowsThatAreAskedFor) {
  Random random(4);
  for (const WeightKind& kind : {kWeightKinds[0], kWeightKinds[6]}) {
    const std::int64_t m = 60, n = 9;
    const Layer layer = random_layer(random, kind, m, n, 33);
    const PackedWeight packed = pack(layer.weights);
    const LayerTerms terms = layer_terms(packed, layer.x_grid, nullptr);
    for (const auto& [begin, end] : {std::pair{0, 0}, {5, 5}, {5, 6}, {3, 59}, {59, 60}}) {
      Guarded<float> y(m * n);
      linear(packed, terms, layer.x_codes.data(), y.data(), {begin, end, 0, n});
      EXPECT_TRUE(y.untouched_outside(begin * n, end * n)) << kind.why << " [" << begin << ", " << end << ")";
    }
  }
}

TEST_F(Linear, AnInputOfZerosGivesTheBias) {
  Random random(5);
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.why);
    Layer layer = random_layer(random, kind, 3, 20, 50);
    layer.x_grid = {.scale = 0.1f, .zero_point = -7};
    layer.x_codes.assign(layer.x_codes.size(), -7);
    layer.bias = random_floats(random, 20, 3.0f);
    const PackedWeight packed = pack(layer.weights);
    std::vector<float> y(20);
    linear(packed, terms_of(layer, packed), layer.x_codes.data(), y.data(), {0, 1, 0, 20});
    EXPECT_EQ(first_difference(y, layer.bias), "");
  }
}

TEST_F(Linear, ItsFusedReluAndCodesAreTheChainOfLinearReluAndQuantize) {
  Random random(7);
  for (const WeightKind& kind : kWeightKinds) {
    const std::int64_t m = 40, n = 37;
    const Layer layer = random_layer(random, kind, m, n, 90);
    const std::vector<float> plain = oracle::linear(layer.x_codes, m, to_oracle(layer.x_grid), layer.weights,
                                                    layer.bias, layer.channel_scale);
    const AffineGrid grid{.scale = 0.3f, .zero_point = -5};
    for (const bool relu : {false, true}) {
      SCOPED_TRACE(testing::Message() << kind.why << (relu ? ", relu" : ""));
      std::vector<float> expected_y;
      std::vector<std::int8_t> expected_codes;
      for (std::size_t i = 0; i < plain.size(); ++i) {
        expected_y.push_back(relu && plain[i] < 0 ? 0.0f : plain[i]);
        expected_codes.push_back(static_cast<std::int8_t>(oracle::code(expected_y[i], to_oracle(grid))));
      }
      for (const WeightOrder order : linear_orders(layer.weights)) {
        const PackedWeight packed = pack(layer.weights, order);
        const LayerTerms terms = terms_of(layer, packed);
        Guarded<float> y(m * n);
        Guarded<std::int8_t> codes(m * n);
        linear(packed, terms, layer.x_codes.data(), y.data(), {0, m, 0, n}, relu);
        EXPECT_EQ(first_difference(y.values(), expected_y), "");
        for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 16}, {16, n}})
          EXPECT_FALSE(linear_codes(packed, terms, layer.x_codes.data(), grid, codes.data(),
                                    {0, m, begin, end}, relu));
        EXPECT_EQ(first_difference(codes.values(), expected_codes), "");
        EXPECT_TRUE(codes.guards_untouched() && y.guards_untouched());
      }
    }
  }
}

// With all codes at the ends of their ranges the sum minus its correction comes within one product of
// INT32_MAX.
TEST_F(Linear, DoesNotOverflowAtTheLargestDepth) {
  const std::int64_t k = max_depth(-128, 127, max_weight_magnitude(-127, 127, true));
  struct Case {
    const char* why;
    int x, zero_point, weight;
  };
  const Case cases[] = {
      {"the largest sum", 127, -128, 127},
      {"the smallest sum", 127, -128, -127},
      {"the largest sum of lowest codes", -128, 127, -127},
      {"the smallest sum of lowest codes", -128, 127, 127},
      {"no zero point", -128, 0, -127},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Layer layer{.m = 2, .weights = {.n = 2, .k = k}, .x_grid = {.scale = 0.01f, .zero_point = c.zero_point}};
    layer.weights.codes.assign(2 * k, static_cast<std::int8_t>(c.weight));
    layer.weights.scale = {0.01f, 0.02f};
    layer.x_codes.assign(2 * k, static_cast<std::int8_t>(c.x));
    layer.bias = {1.0f, -1.0f};
    expect_oracle(layer, {{0, 2, 0, 2}});
  }
}

// Floating-point addition is not associative: the ascending order of groups is part of the contract.
TEST_F(Linear, AnotherOrderOfGroupsWouldShowInTheseTests) {
  Random random(6);
  const WeightKind& kind = kWeightKinds[6];
  const Layer layer = random_layer(random, kind, 20, 20, 96);
  Layer reversed =
      layer;  // the three groups in descending order: the same reals in another order of addition
  for (std::int64_t row = 0; row < 20; ++row) {
    for (std::int64_t i = 0; i < 96; ++i) {
      const std::int64_t from = (2 - i / 32) * 32 + i % 32;
      reversed.weights.codes[row * 96 + i] = layer.weights.codes[row * 96 + from];
      reversed.x_codes[row * 96 + i] = layer.x_codes[row * 96 + from];
    }
    for (std::int64_t group = 0; group < 3; ++group)
      reversed.weights.scale[row * 3 + group] = layer.weights.scale[row * 3 + 2 - group];
  }
  const oracle::Grid x_grid = to_oracle(layer.x_grid);
  EXPECT_NE(first_difference(oracle::linear(layer.x_codes, 20, x_grid, layer.weights, layer.bias),
                             oracle::linear(reversed.x_codes, 20, x_grid, reversed.weights, layer.bias)),
            "");
  expect_oracle(reversed, {{0, 20, 0, 20}});
}

struct DepthCase {
  const char* why;
  std::int32_t x_qmin, x_qmax, qmin, qmax;
  bool symmetric;
  std::int64_t depth;
};
const DepthCase kDepths[] = {
    {"int8 by narrow int8: 255 * 127", -128, 127, -127, 127, true, 66311},
    {"int8 by full int8: 255 * 128", -128, 127, -128, 127, true, 65793},
    {"int8 by symmetric int4: 255 * 8", -128, 127, -8, 7, true, 1052688},
    {"int8 by affine int4: 255 * 15", -128, 127, -8, 7, false, 561433},
    {"narrow activations: 254 * 127", -127, 127, -127, 127, true, 66572},
    {"a ReLU of 7 bits: 127 * 127", 0, 127, -127, 127, true, 133144},
    {"codes far from 0: the code outweighs the difference", 100, 120, -1, 1, true, 17895697},
};

TEST(MaxDepth, IsTheLargestDepthWhoseSumsAllFitInt32) {
  for (const DepthCase& c : kDepths) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(max_depth(c.x_qmin, c.x_qmax, max_weight_magnitude(c.qmin, c.qmax, c.symmetric)), c.depth);
  }
}

TEST(LayerTermsTest, FoldTheActivationScaleInUnlessTheWeightsAreGrouped) {
  const AffineGrid x_grid{.scale = 0.7f, .zero_point = -3};
  const LayerTerms plain =
      layer_terms(pack({.n = 2, .k = 2, .codes = {1, 2, 3, 4}, .scale = {0.1f, 0.3f}}), x_grid, nullptr);
  EXPECT_THAT(plain.correction, testing::ElementsAre(-9, -21));
  EXPECT_THAT(plain.scale, testing::ElementsAre(oracle::multiply(0.7f, 0.1f), oracle::multiply(0.7f, 0.3f)));
  const LayerTerms grouped = layer_terms(
      pack({.n = 2, .k = 2, .group_size = 4, .codes = {1, 2, 3, 4}, .scale = {0.1f, 0.3f}}), x_grid, nullptr);
  EXPECT_THAT(grouped.scale, testing::ElementsAre(0.1f, 0.3f));
  EXPECT_EQ(grouped.x_scale, 0.7f);
}

TEST(LayerTermsTest, MultiplyTheChannelScaleInAfterTheProductOfScales) {
  const AffineGrid x_grid{.scale = 0.7f, .zero_point = -3};
  const std::vector<float> channel_scale = {-1.3f, 0.9f};
  const auto terms = [&](std::int64_t group_size, std::vector<float> scale, WeightOrder order) {
    const PackedWeight packed =
        pack({.n = 2, .k = 4, .group_size = group_size, .codes = {1, 2, 3, 4, 5, 6, 7, -8}, .scale = scale},
             order);
    return layer_terms(packed, x_grid, nullptr, channel_scale.data());
  };
  const auto with_x = [](float weight_scale, float factor) {
    return oracle::multiply(oracle::multiply(0.7f, weight_scale), factor);
  };
  EXPECT_THAT(terms(0, {0.1f, 0.3f}, WeightOrder::kGemm).scale,
              testing::ElementsAre(with_x(0.1f, -1.3f), with_x(0.3f, 0.9f)));
  EXPECT_THAT(terms(0, {0.1f}, WeightOrder::kRows).scale,
              testing::ElementsAre(with_x(0.1f, -1.3f), with_x(0.1f, 0.9f)));
  const LayerTerms grouped = terms(4, {0.1f, 0.3f}, WeightOrder::kGemm);
  EXPECT_THAT(grouped.scale,
              testing::ElementsAre(oracle::multiply(0.1f, -1.3f), oracle::multiply(0.3f, 0.9f)));
  EXPECT_EQ(grouped.x_scale, 0.7f);
  const LayerTerms int4 = terms(0, {0.1f, 0.3f}, WeightOrder::kInt4);
  EXPECT_EQ(int4.scale[0], with_x(0.1f, -1.3f));
  EXPECT_EQ(int4.scale[1], with_x(0.3f, 0.9f));
  EXPECT_EQ(int4.x_scale, 1.0f);  // multiplied by the product, which changes no bit
  EXPECT_EQ(terms(4, {0.1f, 0.3f}, WeightOrder::kInt4).x_scale, 0.7f);
}

}  // namespace
}  // namespace samebits::kernels
