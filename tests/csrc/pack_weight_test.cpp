// csrc/layers/pack_weight.h: grids and codes against the oracle's for every granularity, what is not finite,
// and the text of every error.
#include "tests/csrc/layer_cases.h"

namespace samebits::ops {
namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

class PackWeightOp : public OpTest {};

const WeightScheme kSchemes[] = {
    {-127, 127, true, false, 0}, {-128, 127, true, true, 0}, {-8, 7, true, false, 0},
    {-8, 7, false, false, 0},    {-64, 63, false, true, 0},  {-2, 1, true, false, 0},
    {-8, 7, true, false, 32},    {-8, 7, false, false, 32},  {-127, 127, true, false, 4},
    {-16, 15, false, false, 64}, {-8, 7, false, false, 128},
};
std::string describe(const WeightScheme& s) {
  return c10::str(s.symmetric ? "symmetric " : "affine ", s.qmin, "..", s.qmax,
                  s.per_tensor ? " per tensor" : "", ", groups of ", s.group_size);
}

/// The grid that each element [n][k] must have, from the ranges of the weight.
std::vector<oracle::Grid> expected_grids(const Tensor& weight, const WeightScheme& s) {
  const std::int64_t n = weight.size(0), k = weight.numel() / n;
  const std::vector<float> values = values_of<float>(weight);
  const auto same_grid = [&](std::int64_t i, std::int64_t j) {
    if (s.per_tensor) return true;
    return i / k == j / k && (s.group_size == 0 || i % k / s.group_size == j % k / s.group_size);
  };
  std::vector<oracle::Grid> grids;
  for (std::int64_t i = 0; i < n * k; ++i) {
    if (i > 0 && same_grid(i - 1, i)) {
      grids.push_back(grids.back());
      continue;
    }
    float low = values[i], high = values[i];
    for (std::int64_t j = i; j < n * k && same_grid(i, j); ++j) {
      low = std::min(low, values[j]);
      high = std::max(high, values[j]);
    }
    grids.push_back(
        oracle::grid_of_range(low, high, static_cast<int>(s.qmin), static_cast<int>(s.qmax), s.symmetric));
  }
  return grids;
}

/// The weights on their grids as the products see them: the layer's answer to the unit vectors, [n][k].
Tensor seen_weight(const PackedWeight& packed, WeightOrder order) {
  const std::int64_t n = packed.weight.size(0), k = packed.weight.numel() / n;
  const ActivationGrid unit{at::ones({1}), at::zeros({1}, at::kInt), -128, 127};
  if (order == WeightOrder::kLinear) return linear(at::eye(k), std::nullopt, unit, packed).y.t();
  const Tensor x =
      at::eye(k).reshape({k, packed.weight.size(1), packed.weight.size(2), packed.weight.size(3)});
  return conv2d(x, std::nullopt, {}, unit, packed).y.reshape({k, n}).t();
}

TEST_F(PackWeightOp, HasTheGridsAndCodesOfTheOracle) {
  for (const WeightScheme& scheme : kSchemes) {
    for (const std::int64_t n : {1, 3, 16, 17, 40}) {
      for (const std::int64_t k : {4, 36, 100}) {
        for (const WeightOrder order : {WeightOrder::kLinear, WeightOrder::kConv2d}) {
          if (order == WeightOrder::kConv2d && scheme.group_size != 0) continue;
          const bool is_conv2d = order == WeightOrder::kConv2d;
          SCOPED_TRACE(c10::str(describe(scheme), ", ", n, " x ", k, is_conv2d ? ", conv2d" : ", linear"));
          const std::vector<std::int64_t> shape = {n, k / 4, 2, 2};
          const Tensor weight =
              at::randn({n, k}).reshape(is_conv2d ? at::IntArrayRef(shape) : at::IntArrayRef({n, k}));
          const WeightPacking made = pack_weight(weight, scheme, order);
          EXPECT_FALSE(made.saw_nan || made.saw_infinity);
          const WeightGrid& grid = made.weight.grid;
          EXPECT_EQ(grid.zero_point.has_value(), !scheme.symmetric);
          const std::vector<oracle::Grid> grids = expected_grids(weight, scheme);
          const std::vector<float> values = values_of<float>(weight);
          const std::int64_t groups =
              scheme.group_size == 0 ? 1 : (k + scheme.group_size - 1) / scheme.group_size;
          std::vector<float> expected;
          for (std::int64_t i = 0; i < n * k; ++i) {
            expected.push_back(oracle::fake_quantize(values[i], grids[i]));
            const std::int64_t group = scheme.group_size == 0 ? 0 : i % k / scheme.group_size;
            const std::int64_t index = scheme.per_tensor ? 0 : i / k * groups + group;
            ASSERT_EQ(values_of<float>(grid.scale)[index], grids[i].scale) << "element " << i;
            if (!scheme.symmetric) {
              ASSERT_EQ(values_of<std::int32_t>(*grid.zero_point)[index], grids[i].zero_point);
            }
          }
          EXPECT_TRUE(at::equal(seen_weight(made.weight, order), tensor_of(expected, {n, k})));
        }
      }
    }
  }
}

TEST_F(PackWeightOp, IsMinMaxThenGridThenQuantizeWithAnyMemoryLayoutAnd2Threads) {
  for (const WeightScheme& scheme : kSchemes) {
    SCOPED_TRACE(describe(scheme));
    const Tensor weight = at::randn({300, 200});
    const WeightPacking expected = pack_weight(weight, scheme, WeightOrder::kLinear);
    const Tensor on_grid = packed_on_grid("linear", weight, expected.weight.grid, WeightOrder::kLinear);
    EXPECT_EQ(first_difference(on_grid, expected.weight.packed), "");
    for (const auto& [why, memory] : memory_layouts(weight)) {
      const auto [one, two] =
          with_1_and_2_threads([&, x = memory] { return pack_weight(x, scheme, WeightOrder::kLinear); });
      for (const WeightPacking& got : {one, two}) {
        EXPECT_EQ(first_difference(got.weight.packed, expected.weight.packed), "") << why;
        EXPECT_EQ(first_difference(got.weight.grid.scale, expected.weight.grid.scale), "") << why;
      }
    }
  }
}

/// One value somewhere in a weight of ones, and what is said about it.
struct NonFiniteCase {
  float value;
  bool saw_nan, saw_infinity;
};
TEST_F(PackWeightOp, TellsNaNFromInfinityWhereverTheyAre) {
  const NonFiniteCase cases[] = {
      {1.0f, false, false}, {kNaN, true, false}, {kInfinity, false, true}, {-kInfinity, false, true}};
  for (const WeightScheme& scheme : kSchemes) {
    for (const NonFiniteCase& c : cases) {
      for (const std::int64_t place : {0, 40, 37 * 20 - 1}) {
        SCOPED_TRACE(c10::str(describe(scheme), ": ", c.value, " at ", place));
        Tensor weight = at::ones({20, 37});
        weight.flatten()[place] = c.value;
        const WeightPacking made = pack_weight(weight, scheme, WeightOrder::kLinear);
        EXPECT_EQ(made.saw_nan, c.saw_nan);
        EXPECT_EQ(made.saw_infinity, c.saw_infinity);
      }
    }
    Tensor both = at::full({3, 37}, kNaN);
    both[2].fill_(kInfinity);
    EXPECT_TRUE(pack_weight(both, scheme, WeightOrder::kLinear).saw_nan);
  }
}

TEST_F(PackWeightOp, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  for (const WeightScheme& scheme : kSchemes) {
    SCOPED_TRACE(describe(scheme));
    const Tensor weight = at::randn({17, 37});
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("samebits::pack_weight", "");
    const auto outputs = [&](const Tensor& w) {
      torch::jit::Stack stack = {
          w, scheme.qmin, scheme.qmax, scheme.symmetric, scheme.per_tensor, scheme.group_size, false};
      op.callBoxed(stack);
      return stack;
    };
    const auto expected = outputs(weight), got = outputs(weight.to(at::kMeta));
    for (std::size_t i = 0; i < expected.size(); ++i)
      expect_same_description(got[i].toTensor(), expected[i].toTensor());
  }
}

TEST_F(PackWeightOp, SaysWhichArgumentIsWrong) {
  const auto call = [](const Tensor& weight, const WeightScheme& scheme,
                       WeightOrder order = WeightOrder::kLinear) {
    return [=] { pack_weight(weight, scheme, order); };
  };
  const Tensor weight = at::ones({2, 8});
  const std::string group =
      "[pack_weight] group_size: expected 0, or a multiple of 4 for a linear weight, got ";
  expect_errors({
      {"no error", call(weight, {})},
      {"[pack_weight] weight: expected float32, got float64; call .to(torch::kFloat)",
       call(weight.to(at::kDouble), {})},
      {"[pack_weight] weight: expected [out, ...], got a scalar", call(at::ones({}), {})},
      {"[pack_weight] weight: expected at least 1 element, got shape [5, 0]", call(at::empty({5, 0}), {})},
      {"[pack_weight] weight: expected at least 1 element, got shape [0, 6]", call(at::empty({0, 6}), {})},
      {"[linear] weight: expected at least 1 element, got shape [5, 0]",
       [] {
         packed_on_grid("linear", at::empty({5, 0}), {at::ones({1})}, WeightOrder::kLinear);
       }},
      {"[pack_weight] qmin, qmax: expected -128 <= qmin < qmax <= 127, got -129 and 127",
       call(weight, {-129, 127})},
      {"[pack_weight] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got 0 and 127",
       call(weight, {0, 127})},
      {"[pack_weight] symmetric: expected true for more than 7 bits, got false with the range -128..127",
       call(weight, {-128, 127, false})},
      {group + "6", call(weight, {-8, 7, true, false, 6})},
      {group + "-4", call(weight, {-8, 7, true, false, -4})},
      {group + "4", call(weight, {-8, 7, true, true, 4})},
      {group + "4", call(at::ones({2, 8, 1, 1}), {-8, 7, true, false, 4}, WeightOrder::kConv2d)},
      {"[linear] weight: expected finite values, got NaN",
       [] {
         packed_on_grid("linear", at::full({2, 3}, kNaN), {at::ones({1})}, WeightOrder::kLinear);
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
