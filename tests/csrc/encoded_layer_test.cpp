// The overloads `.encoded` of linear and conv2d: grids and codes against the oracle's for every granularity,
// gradients, what is not finite, and the text of every error.
#include "tests/csrc/layer_cases.h"

namespace samebits::ops {
namespace {

using quant::Encoding;
using quant::Granularity;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

class EncodedLayer : public OpTest {
 protected:
  Random random_{11};
};

const Encoding kEncodings[] = {
    {8, -127, 127, true, Granularity::kPerChannel, 0}, {8, -128, 127, true, Granularity::kPerTensor, 0},
    {4, -8, 7, true, Granularity::kPerChannel, 0},     {4, -8, 7, false, Granularity::kPerChannel, 0},
    {7, -64, 63, false, Granularity::kPerTensor, 0},   {2, -2, 1, true, Granularity::kPerChannel, 0},
    {4, -8, 7, true, Granularity::kPerGroup, 32},      {4, -8, 7, false, Granularity::kPerGroup, 32},
    {8, -127, 127, true, Granularity::kPerGroup, 4},   {5, -16, 15, false, Granularity::kPerGroup, 64},
    {4, -8, 7, false, Granularity::kPerGroup, 128},
};

/// The grid that each element [n][k] must have, from the ranges of the weight.
std::vector<oracle::Grid> expected_grids(const Tensor& weight, const Encoding& e) {
  const std::int64_t n = weight.size(0), k = weight.numel() / n;
  const std::vector<float> values = values_of<float>(weight);
  const auto same_grid = [&](std::int64_t i, std::int64_t j) {
    if (e.granularity == Granularity::kPerTensor) return true;
    return i / k == j / k && (e.group_size == 0 || i % k / e.group_size == j % k / e.group_size);
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
    grids.push_back(oracle::grid_of_range(low, high, e.qmin, e.qmax, e.symmetric));
  }
  return grids;
}

/// A linear or conv2d of a random weight [n][k], and the unit vectors as its input: y are the weights as the
/// product sees them.
LayerCase unit_layer(std::int64_t n, std::int64_t k, bool is_conv2d) {
  LayerCase c{"", is_conv2d ? "conv2d" : "linear", {}, {}};
  c.layer.weight = at::randn({n, k});
  c.layer.x = at::eye(k);
  c.layer.x_grid = {at::ones({1}), at::zeros({1}, at::kInt), -128, 127};
  if (is_conv2d) {
    c.layer.weight = c.layer.weight.reshape({n, k / 4, 2, 2});
    c.layer.x = c.layer.x.reshape({k, k / 4, 2, 2});
  }
  return c;
}

void expect_grids(const EncodedLayerOutput& out, const Encoding& encoding,
                  const std::vector<oracle::Grid>& grids, std::int64_t k) {
  const std::int64_t groups = quant::groups_per_row(encoding, k);
  for (std::int64_t i = 0; i < std::ssize(grids); ++i) {
    const std::int64_t group = encoding.group_size == 0 ? 0 : i % k / encoding.group_size;
    const std::int64_t index = encoding.granularity == Granularity::kPerTensor ? 0 : i / k * groups + group;
    ASSERT_EQ(out.weight_scale.flatten()[index].item<float>(), grids[i].scale) << "element " << i;
    ASSERT_EQ(out.weight_zero_point.flatten()[index].item<int>(), grids[i].zero_point) << "element " << i;
  }
}

TEST_F(EncodedLayer, HasTheGridsAndCodesOfTheOracle) {
  for (const Encoding& encoding : kEncodings) {
    for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{1, 36}, {3, 4}, {17, 100}, {40, 36}}) {
      for (const bool is_conv2d : {false, true}) {
        if (is_conv2d && encoding.group_size != 0) continue;
        SCOPED_TRACE(c10::str(to_text(encoding), ", ", n, " x ", k, is_conv2d ? ", conv2d" : ", linear"));
        const LayerCase c = unit_layer(n, k, is_conv2d);
        const EncodedLayerOutput out = c.call_encoded(c.layer, encoding, {});
        EXPECT_EQ(out.weight_not_finite.item<int>(), 0);
        const std::vector<oracle::Grid> grids = expected_grids(c.layer.weight, encoding);
        expect_grids(out, encoding, grids, k);
        const std::vector<float> values = values_of<float>(c.layer.weight);
        std::vector<float> expected;
        for (std::int64_t i = 0; i < n * k; ++i)
          expected.push_back(oracle::fake_quantize(values[i], grids[i]));
        EXPECT_TRUE(at::equal(out.layer.y.reshape({k, n}).t(), tensor_of(expected, {n, k})));
      }
    }
  }
}

/// The grids that an encoded call found, for a call on given ones.
WeightGrid found_grid(const EncodedLayerOutput& out, const Encoding& encoding) {
  WeightGrid grid{out.weight_scale, std::nullopt, encoding.qmin, encoding.qmax, encoding.group_size};
  if (!encoding.symmetric) grid.zero_point = out.weight_zero_point;
  return grid;
}

TEST_F(EncodedLayer, HasTheOutputsAndGradientsOfACallOnTheGridsThatItFound) {
  for (const BackwardMode backward : {BackwardMode::kFloat32, BackwardMode::kBfloat16}) {
    for (const LayerCase& c : layer_cases(random_)) {
      for (const Encoding& encoding : kEncodings) {
        if (!c.is_linear() && encoding.group_size != 0) continue;
        SCOPED_TRACE(c10::str(c.why, ", ", to_text(encoding), ", backward ", backward_text(backward)));
        const LayerOptions options{.observe = true, .backward = backward};
        const Layer layer = with_grad(c.layer);
        const EncodedLayerOutput got = c.call_encoded(layer, encoding, options);
        Layer given = layer;
        given.weight_grid = found_grid(got, encoding);
        const LayerOutput expected = c.call(given, options);
        expect_same_tensors({got.layer.y, got.layer.x_codes, got.layer.clip_mask, got.layer.x_range},
                            {expected.y, expected.x_codes, expected.clip_mask, expected.x_range});
        const Tensor grad_y = at::randn(expected.y.sizes());
        expect_same_tensors(gradients_of(got.layer.y, layer, grad_y),
                            gradients_of(expected.y, layer, grad_y));
      }
    }
  }
}

TEST_F(EncodedLayer, IsTheSameWithAnyMemoryLayoutAnd2Threads) {
  for (const Encoding& encoding : kEncodings) {
    SCOPED_TRACE(to_text(encoding));
    LayerCase c{"", "linear", random_layer(random_, kernels::kWeightKinds[0], 300, 200, {5, 200}), {}};
    const EncodedLayerOutput expected = c.call_encoded(c.layer, encoding, {});
    for (const auto& [why, memory] : memory_layouts(c.layer.weight)) {
      Layer layer = c.layer;
      layer.weight = memory;
      const auto [one, two] = with_1_and_2_threads([&] { return c.call_encoded(layer, encoding, {}); });
      for (const EncodedLayerOutput& got : {one, two}) {
        EXPECT_EQ(first_difference(got.layer.y, expected.layer.y), "") << why;
        EXPECT_EQ(first_difference(got.weight_scale, expected.weight_scale), "") << why;
      }
    }
  }
}

/// One value somewhere in a weight of ones, and what is said about it.
struct NonFiniteCase {
  float value;
  int flags;
};
TEST_F(EncodedLayer, TellsNaNFromInfinityWhereverTheyAre) {
  const NonFiniteCase cases[] = {
      {1.0f, 0}, {kNaN, kSawNaN}, {kInfinity, kSawInfinity}, {-kInfinity, kSawInfinity}};
  for (const Encoding& encoding : kEncodings) {
    for (const NonFiniteCase& each : cases) {
      for (const std::int64_t place : {0, 40, 36 * 20 - 1}) {
        SCOPED_TRACE(c10::str(to_text(encoding), ": ", each.value, " at ", place));
        LayerCase c = unit_layer(20, 36, false);
        c.layer.weight.fill_(1.0f).flatten()[place] = each.value;
        EXPECT_EQ(c.call_encoded(c.layer, encoding, {}).weight_not_finite.item<int>(), each.flags);
      }
    }
    LayerCase both = unit_layer(3, 36, false);
    both.layer.weight.fill_(kNaN)[2].fill_(kInfinity);
    EXPECT_TRUE(both.call_encoded(both.layer, encoding, {}).weight_not_finite.item<int>() & kSawNaN);
  }
}

TEST_F(EncodedLayer, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  for (const Encoding& encoding : kEncodings) {
    for (const bool is_conv2d : {false, true}) {
      if (is_conv2d && encoding.group_size != 0) continue;
      SCOPED_TRACE(to_text(encoding));
      const LayerCase c = unit_layer(17, 36, is_conv2d);
      Layer meta = c.layer;
      meta.x = c.layer.x.to(at::kMeta);
      meta.weight = c.layer.weight.to(at::kMeta);
      EncodedLayerOutput expected = c.call_encoded(c.layer, encoding, {}),
                         got = c.call_encoded(meta, encoding, {});
      std::apply(
          [&](auto&... e) {
            std::apply([&](auto&... g) { (expect_same_description(g, e), ...); }, got.fields());
          },
          expected.fields());
    }
  }
}

TEST_F(EncodedLayer, SaysWhichArgumentIsWrong) {
  const auto call = [](const Tensor& weight, const Encoding& encoding) {
    return [=] {
      const LayerCase c = unit_layer(2, 8, false);
      Layer changed = c.layer;
      changed.weight = weight;
      c.call_encoded(changed, encoding, {});
    };
  };
  const Tensor weight = at::ones({2, 8});
  const Encoding int4_groups{4, -8, 7, true, Granularity::kPerGroup, 6};
  Encoding channels_of_4{4, -8, 7, true, Granularity::kPerChannel, 4};
  expect_errors({
      {"no error", call(weight, {})},
      {"[linear] weight: expected float32, got float64; call .to(torch::kFloat)",
       call(weight.to(at::kDouble), {})},
      {"[linear] weight: expected at least 1 element, got shape []", call(at::ones({}), {})},
      {"[linear] weight: expected at least 1 element, got shape [5, 0]", call(at::empty({5, 0}), {})},
      {"[linear] weight: expected at least 1 element, got shape [0, 6]", call(at::empty({0, 6}), {})},
      {"[linear] weight_qmin, weight_qmax: expected -128 <= qmin < qmax <= 127, got -129 and 127",
       call(weight, {.qmin = -129})},
      {"[linear] weight_qmin, weight_qmax: expected qmin < 0 < qmax for a symmetric grid, got 0 and 127",
       call(weight, {.qmin = 0})},
      {"[linear] weight_zero_point: expected at most 7-bit codes for an affine weight, got the range "
       "-128..127; use 7 "
       "bits or a symmetric grid",
       call(weight, {.qmin = -128, .symmetric = false})},
      {"[linear] group_size: expected a multiple of 4, got 6", call(weight, int4_groups)},
      {"[linear] group_size: expected 0 without groups, got 4", call(weight, channels_of_4)},
  });
}

}  // namespace
}  // namespace samebits::ops
