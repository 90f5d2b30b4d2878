// The gradients of linear and conv2d in bfloat16 and int8, against a surrogate in double: within the bound
// that their roundings allow, and exact where nothing has to be rounded.
#include "tests/csrc/layer_cases.h"

namespace samebits::ops {
namespace {

class BackwardModes : public OpTest {
 protected:
  Random random_{7};
};

/// Float gradients of x and weight in double, and the sums of the magnitudes of the products in each element.
struct Reference {
  Tensor grad_x, grad_weight, x_magnitude, weight_magnitude;
};
Reference reference_of(const LayerCase& c, const Layer& layer, const Tensor& grad_y) {
  const Tensor x = surrogate_x(layer, layer.x), weight = surrogate_weight(layer, layer.weight);
  const Tensor grad = grad_y.to(at::kDouble);
  const auto exact = torch::autograd::grad({double_product(c, x.to(at::kDouble), weight.to(at::kDouble))},
                                           {layer.x, layer.weight}, {grad});
  const Tensor x_abs = x.detach().abs().to(at::kDouble).requires_grad_();
  const Tensor weight_abs = weight.detach().abs().to(at::kDouble).requires_grad_();
  const auto magnitudes =
      torch::autograd::grad({double_product(c, x_abs, weight_abs)}, {x_abs, weight_abs}, {grad.abs()});
  return {exact[0], exact[1], magnitudes[0], magnitudes[1]};
}

/// Every element within `relative` of its magnitude, and 0 where the reference is.
void expect_near(const Tensor& got, const Tensor& expected, const Tensor& magnitude, double relative) {
  const Tensor error = (got.to(at::kDouble) - expected.to(at::kDouble)).abs();
  const Tensor excess = error - magnitude * relative;
  EXPECT_LE(excess.max().item<double>(), 1e-30)
      << "error over magnitude: " << (error / magnitude.clamp_min(1e-30)).max().item<double>();
  EXPECT_FALSE(at::logical_and(expected == 0, got != 0).any().item<bool>());
}

/// A bfloat16 has 8 significant bits: rounding moves a number by at most 2^-8 of it.
constexpr double kBf16Rounding = 0x1p-8;
/// What float sums of that many terms may add.
double sum_rounding(std::int64_t terms) {
  return static_cast<double>(terms + 4) * 0x1p-23;
}

TEST_F(BackwardModes, Bf16RoundsOnlyTheGradientOfALinear) {
  for (const LayerCase& c : layer_cases(random_)) {
    if (!c.is_linear()) continue;
    SCOPED_TRACE(c.why);
    EXPECT_GT(clipped(c.layer).x, 0);
    EXPECT_GT(clipped(c.layer).weight, 0);
    const Layer layer = with_grad(c.layer);
    const Tensor y = c.call(layer, {.backward = BackwardMode::kBfloat16}).y, grad_y = at::randn(y.sizes());
    const auto got = gradients_of(y, layer, grad_y);
    const Reference expected = reference_of(c, layer, grad_y);
    const int roundings = c.layer.weight_grid.group_size > 0 ? 2 : 1;  // code * scale of a group is another
    expect_near(got[0], expected.grad_x, expected.x_magnitude,
                roundings * kBf16Rounding * (1 + kBf16Rounding) + sum_rounding(layer.weight.size(0)));
    expect_near(got[1], expected.grad_weight, expected.weight_magnitude,
                kBf16Rounding + sum_rounding(layer.x.size(0)));
    if (layer.bias.has_value()) {
      EXPECT_EQ(first_difference(got[2], column_sums_of(grad_y)), "");
    }
  }
}

TEST_F(BackwardModes, Bf16IsExactWhereNothingNeedsRounding) {
  for (const LayerCase& c : layer_cases(random_)) {
    if (!c.is_linear()) continue;
    for (const std::int64_t rows : {1, 5, 40}) {
      SCOPED_TRACE(c10::str(c.why, ", ", rows, " rows"));
      Layer layer = c.layer;
      layer.x = at::randn({rows, 37}) * 4;
      // Powers of two near the scales that there were, and gradients of 4 bits.
      layer.x_grid.scale = at::exp2(at::log2(layer.x_grid.scale).round());
      layer.weight_grid.scale = at::exp2(at::log2(layer.weight_grid.scale).round());
      layer = with_grad(layer);
      const Tensor y = c.call(layer, {.backward = BackwardMode::kBfloat16}).y;
      const Tensor grad_y = at::randint(-8, 9, y.sizes()).to(at::kFloat) * 0x1p-3f;
      const auto got = gradients_of(y, layer, grad_y);
      const Reference expected = reference_of(c, layer, grad_y);
      EXPECT_TRUE(at::equal(got[0], expected.grad_x));
      EXPECT_TRUE(at::equal(got[1], expected.grad_weight));
      EXPECT_TRUE(got[0].any().item<bool>() && got[1].any().item<bool>());
    }
  }
}

TEST_F(BackwardModes, Bf16RoundsTheResultsOfAConvolutionToo) {
  for (const LayerCase& c : layer_cases(random_)) {
    if (c.is_linear()) continue;
    SCOPED_TRACE(c.why);
    const Layer layer = with_grad(c.layer);
    const Tensor y = c.call(layer, {.backward = BackwardMode::kBfloat16}).y, grad_y = at::randn(y.sizes());
    const auto got = gradients_of(y, layer, grad_y);
    const Reference expected = reference_of(c, layer, grad_y);
    // Sums of 2 images may be bfloat16 in between: a handful of roundings, none of them a wrong term.
    expect_near(got[0], expected.grad_x, expected.x_magnitude, 4 * kBf16Rounding);
    expect_near(got[1], expected.grad_weight, expected.weight_magnitude, 4 * kBf16Rounding);
    if (layer.bias.has_value()) {
      EXPECT_TRUE(at::allclose(got[2], grad_y.sum({0, 2, 3}), 1e-5, 1e-5));
    }
  }
}

TEST_F(BackwardModes, LeaveTheForwardAlone) {
  for (const LayerCase& c : layer_cases(random_)) {
    const LayerOutput expected = c.call(c.layer, {});
    for (const BackwardMode backward : {BackwardMode::kBfloat16, BackwardMode::kInt8}) {
      SCOPED_TRACE(c10::str(c.why, ", backward ", backward_text(backward)));
      const LayerOutput got = c.call(c.layer, {.backward = backward});
      expect_same_tensors({got.y, got.x_codes, got.clip_mask},
                          {expected.y, expected.x_codes, expected.clip_mask});
    }
  }
}

TEST_F(BackwardModes, TakeBatchesOfAnyShapeAndNoRows) {
  for (const BackwardMode backward : {BackwardMode::kBfloat16, BackwardMode::kInt8}) {
    for (const std::vector<std::int64_t>& shape :
         std::vector<std::vector<std::int64_t>>{{37}, {2, 3, 37}, {0, 37}, {150, 37}}) {
      SCOPED_TRACE(c10::str(backward_text(backward), ", ", at::IntArrayRef(shape)));
      Layer layer = random_layer(random_, kernels::kWeightKinds[0], 9, 37, shape);
      layer.bias = at::randn({9});
      layer = with_grad(layer);
      const auto y = [&](const Tensor& x) {
        return linear(x, layer.weight, layer.bias, layer.x_grid, layer.weight_grid, {.backward = backward}).y;
      };
      const Tensor rows = layer.x.reshape({-1, 37}), grad_y = at::randn({rows.size(0), 9});
      std::vector<std::int64_t> y_shape = shape;
      y_shape.back() = 9;
      torch::manual_seed(3);  // of the stochastic rounding
      const auto got = gradients_of(y(layer.x), layer, grad_y.reshape(y_shape));
      torch::manual_seed(3);
      expect_same_tensors(got, gradients_of(y(rows), layer, grad_y));
      EXPECT_EQ(got[1].sizes(), layer.weight.sizes());
    }
  }
}

TEST_F(BackwardModes, GiveTheSameBitsWith1And2Threads) {
  const Layer layer = with_grad(random_layer(random_, kernels::kWeightKinds[0], 130, 200, {513, 200}));
  const Tensor grad_y = at::randn({513, 130});
  for (const BackwardMode backward : {BackwardMode::kBfloat16, BackwardMode::kInt8}) {
    SCOPED_TRACE(backward_text(backward));
    const auto [one, two] = with_1_and_2_threads([&] {
      torch::manual_seed(4);
      const Tensor y =
          linear(layer.x, layer.weight, layer.bias, layer.x_grid, layer.weight_grid, {.backward = backward})
              .y;
      return gradients_of(y, layer, grad_y);
    });
    expect_same_tensors(two, one);
  }
}

/// The step of each row's int8 grid: max |g * weight scale| / 127, [rows, 1].
Tensor gradient_steps(const Layer& layer, const Tensor& grad_y) {
  const Tensor scaled = grad_y.to(at::kDouble) * layer.weight_grid.scale.to(at::kDouble).reshape({-1});
  return std::get<0>(scaled.abs().max(1, /*keepdim=*/true)) / 127;
}
/// Codes minus zero points of the weight, in double.
Tensor centered_codes(const Layer& layer) {
  const Tensor scale = layer.weight_grid.scale.to(at::kDouble).reshape({-1, 1});
  return (surrogate_weight(layer, layer.weight).detach().to(at::kDouble) / scale).round();
}

TEST_F(BackwardModes, Int8MovesEachTermOfGradXByLessThanAStepAndIsRightOnAverage) {
  constexpr int kCalls = 100;
  for (const LayerCase& c : layer_cases(random_)) {
    if (!c.is_linear() || c.layer.weight_grid.group_size > 0) continue;
    SCOPED_TRACE(c.why);
    const Layer layer = with_grad(c.layer);
    const Tensor grad_y = at::randn({5, 9});
    const Reference expected = reference_of(c, layer, grad_y);
    const Tensor steps = gradient_steps(layer, grad_y), codes = centered_codes(layer);
    const Tensor bound = steps * codes.abs().sum(0) * (1 + 1e-5) + expected.x_magnitude * 1e-5;
    Tensor total = at::zeros({5, 37}, at::kDouble);
    for (int call = 0; call < kCalls; ++call) {
      const Tensor y = c.call(layer, {.backward = BackwardMode::kInt8}).y;
      const Tensor grad_x = torch::autograd::grad({y}, {layer.x}, {grad_y})[0];
      expect_near(grad_x, expected.grad_x, bound, 1.0);
      total += grad_x.to(at::kDouble);
    }
    // A rounded term has a deviation of at most half a step; 6 deviations of the mean.
    const Tensor deviation = steps * 0.5 * (codes.square().sum(0) / kCalls).sqrt();
    expect_near(total / kCalls, expected.grad_x, 6 * deviation + expected.x_magnitude * 1e-5, 1.0);
  }
}

TEST_F(BackwardModes, Int8HasTheWeightAndBiasGradientsOfBf16AndOtherwiseFallsBackToIt) {
  for (const LayerCase& c : layer_cases(random_)) {
    SCOPED_TRACE(c.why);
    const Layer layer = with_grad(c.layer);
    const auto run = [&](BackwardMode backward, const Tensor& grad_y) {
      return gradients_of(c.call(layer, {.backward = backward}).y, layer, grad_y);
    };
    const Tensor grad_y = at::randn(c.call(c.layer, {}).y.sizes());
    auto got = run(BackwardMode::kInt8, grad_y), expected = run(BackwardMode::kBfloat16, grad_y);
    const bool takes_int8 = c.is_linear() && c.layer.weight_grid.group_size == 0;
    EXPECT_EQ(first_difference(got[0], expected[0]) == "", !takes_int8);
    got.erase(got.begin());
    expected.erase(expected.begin());
    expect_same_tensors(got, expected);
  }
}

TEST_F(BackwardModes, Int8DrawsFromTorchsGeneratorAndKeepsZeros) {
  const LayerCase c = layer_cases(random_).front();
  const Layer layer = with_grad(c.layer);
  Tensor grad_y = at::randn({5, 9});
  grad_y[2].zero_();
  const auto grad_x = [&] {
    const Tensor y = c.call(layer, {.backward = BackwardMode::kInt8}).y;
    return torch::autograd::grad({y}, {layer.x}, {grad_y})[0];
  };
  torch::manual_seed(9);
  const Tensor first = grad_x(), second = grad_x();
  torch::manual_seed(9);
  EXPECT_EQ(first_difference(grad_x(), first), "");
  EXPECT_NE(first_difference(second, first), "");
  EXPECT_FALSE(first[2].any().item<bool>());
}

TEST_F(BackwardModes, NonFiniteGradientsStayVisible) {
  const LayerCase c = layer_cases(random_).front();
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const BackwardMode backward :
         {BackwardMode::kFloat32, BackwardMode::kBfloat16, BackwardMode::kInt8}) {
      SCOPED_TRACE(c10::str(value, ", backward ", backward_text(backward)));
      const Layer layer = with_grad(c.layer);
      const Tensor y = c.call(layer, {.backward = backward}).y;
      Tensor grad_y = at::ones({5, 9});
      grad_y[3][4] = value;
      const auto got = gradients_of(y, layer, grad_y);
      const Tensor inside = reference_of(c, layer, at::rand({5, 9}) + 1).grad_x != 0;
      const Tensor is_finite = at::isfinite(got[0]);
      EXPECT_TRUE(inside[3].any().item<bool>());
      EXPECT_FALSE(at::logical_and(inside[3], is_finite[3]).any().item<bool>());
      EXPECT_TRUE(is_finite.slice(0, 0, 3).all().item<bool>() && is_finite[4].all().item<bool>());
      EXPECT_FALSE(at::isfinite(got[1][4]).all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace samebits::ops
