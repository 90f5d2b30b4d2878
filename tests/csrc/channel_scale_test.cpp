// A factor for each channel in linear and conv2d, as a folded batch norm gives it (docs/numerics.md §13): the
// oracle's bits, whatever finds the weight's grids and whatever the threads; gradients against float autograd
// of the same formula; and the text of every error.
#include "tests/csrc/layer_cases.h"

namespace samebits::ops {
namespace {

class ChannelScale : public OpTest {
 protected:
  Random random_{17};

  /// The layers of layer_cases() with a factor for each channel, and what they are called with.
  struct Case : LayerCase {
    Tensor channel_scale;

    auto with(const LayerCall& call, auto use) const {
      if (is_linear()) return use(LinearCall{call});
      return use(Conv2dCall{call, window});
    }
    LayerCall given(const Layer& changed, const Tensor& scale, const LayerOptions& options = {}) const {
      return {changed.x, changed.weight, changed.bias, changed.x_grid, changed.weight_grid,
              {},        options,        scale};
    }
    LayerOutput run(const Layer& changed, const Tensor& scale, const LayerOptions& options = {}) const {
      return with(given(changed, scale, options), [](const auto& call) { return call_operator(call); });
    }
    EncodedLayerOutput run_encoded(const quant::Encoding& encoding) const {
      LayerCall call = given(layer, channel_scale);
      call.weight_grid = {};
      call.encoding = encoding;
      if (is_linear()) return call_operator(EncodedLinearCall{call});
      return call_operator(EncodedConv2dCall{call, window});
    }
    std::vector<float> expected() const {
      const std::vector<float> factors = values_of<float>(channel_scale);
      const oracle::Weights& weights = layer.weight_oracle;
      if (is_linear())
        return oracle::linear(layer.x_codes(), layer.x.numel() / layer.x.size(-1), layer.x_oracle, weights,
                              layer.bias_values(), factors);
      const oracle::Conv2d shape{
          layer.x.size(1),  layer.x.size(2),  layer.x.size(3),   layer.weight.size(0), 3, 3,
          window.stride[0], window.stride[1], window.padding[0], window.padding[1],    1, 1,
          window.groups};
      return oracle::conv2d(layer.x_codes(), layer.x.size(0), shape, layer.x_oracle, weights,
                            layer.bias_values(), factors);
    }
  };

  std::vector<Case> cases() {
    std::vector<Case> all;
    for (const LayerCase& c : layer_cases(random_)) {
      const std::int64_t n = c.layer.weight.size(0);
      all.push_back({c, tensor_of(kernels::random_channel_scales(random_, n), {n})});
    }
    return all;
  }
};

TEST_F(ChannelScale, GivesTheOraclesBitsForEveryKindOfWeight) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    const Tensor y = c.run(c.layer, c.channel_scale).y;
    EXPECT_EQ(first_difference(y, tensor_of(c.expected(), y.sizes())), "");
  }
}

TEST_F(ChannelScale, LeavesTheCodesOfTheWeightAsTheyAre) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    const WeightGrid& grid = c.layer.weight_grid;
    quant::Encoding encoding = encoding_of(grid, c.layer.weight);
    const EncodedLayerOutput found = c.run_encoded(encoding);
    Layer on_found = c.layer;
    on_found.weight_grid.scale = found.weight_scale;
    if (grid.zero_point.has_value()) on_found.weight_grid.zero_point = found.weight_zero_point;
    EXPECT_EQ(first_difference(found.layer.y, c.run(on_found, c.channel_scale).y), "");
    const EncodedLayerOutput plain = c.call_encoded(c.layer, encoding, {});
    EXPECT_EQ(first_difference(found.weight_scale, plain.weight_scale), "");
    EXPECT_EQ(first_difference(found.weight_zero_point, plain.weight_zero_point), "");
  }
}

TEST_F(ChannelScale, OfOnesChangesNoBit) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    const LayerOutput plain = c.call(c.layer, {}), ones = c.run(c.layer, at::ones_like(c.channel_scale));
    EXPECT_EQ(first_difference(ones.y, plain.y), "");
  }
}

TEST_F(ChannelScale, GivesTheSameBitsWith1And2ThreadsAndInAnyMemoryLayout) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    const auto [one, two] = with_1_and_2_threads([&] { return c.run(c.layer, c.channel_scale); });
    EXPECT_EQ(first_difference(two.y, one.y), "");
    const Tensor every_second = at::stack({c.channel_scale, c.channel_scale}, 1).select(1, 0);
    EXPECT_EQ(first_difference(c.run(c.layer, every_second).y, one.y), "");
  }
}

TEST_F(ChannelScale, HasAMetaKernelThatTellsTheShapes) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    Layer meta = c.layer;
    const auto moved = [](const Tensor& tensor) { return tensor.to(at::kMeta); };
    meta.x = moved(meta.x), meta.weight = moved(meta.weight);
    if (meta.bias.has_value()) meta.bias = moved(*meta.bias);
    meta.x_grid.scale = moved(meta.x_grid.scale), meta.x_grid.zero_point = moved(meta.x_grid.zero_point);
    meta.weight_grid.scale = moved(meta.weight_grid.scale);
    if (meta.weight_grid.zero_point.has_value())
      meta.weight_grid.zero_point = moved(*meta.weight_grid.zero_point);
    const LayerOutput expected = c.run(c.layer, c.channel_scale), got = c.run(meta, moved(c.channel_scale));
    expect_same_description(got.y, expected.y);
  }
}

/// Gradients of x, weight, channel_scale and, where there is one, bias, in double, by autograd of the formula
/// on the reals that the codes stand for: y = product * channel_scale + bias.
std::vector<Tensor> double_gradients(const LayerCase& c, const Tensor& channel_scale, const Tensor& grad_y) {
  const Layer layer = with_grad(c.layer);
  const Tensor factor = channel_scale.detach().clone().requires_grad_();
  const Tensor x = surrogate_x(layer, layer.x).to(at::kDouble),
               weight = surrogate_weight(layer, layer.weight).to(at::kDouble);
  const auto by_channel = [&](const Tensor& values) {
    return c.is_linear() ? values : values.view({-1, 1, 1});
  };
  Tensor y = double_product(c, x, weight) * by_channel(factor.to(at::kDouble));
  std::vector<Tensor> inputs = {layer.x, layer.weight, factor};
  if (layer.bias.has_value()) {
    y = y + by_channel(layer.bias->to(at::kDouble));
    inputs.push_back(*layer.bias);
  }
  return torch::autograd::grad({y}, inputs, {grad_y.to(at::kDouble)});
}

/// The largest difference, in units of the largest value of each channel of the gradient of the weight, or
/// of the whole of another.
double largest_error(const Tensor& got, const Tensor& expected) {
  const Tensor error = (got.to(at::kDouble) - expected.to(at::kDouble)).abs();
  const double largest = expected.to(at::kDouble).abs().max().item<double>();
  return error.max().item<double>() / (largest == 0 ? 1 : largest);
}

TEST_F(ChannelScale, HasTheGradientsOfTheFormulaInEveryArithmeticOfBackward) {
  const std::pair<BackwardMode, double> kModes[] = {
      {BackwardMode::kFloat32, 1e-5}, {BackwardMode::kBfloat16, 2e-2}, {BackwardMode::kInt8, 4e-2}};
  for (const Case& c : cases()) {
    const std::int64_t n = c.layer.weight.size(0);
    const Tensor factor = at::rand({n}) + 0.5;  // one magnitude, so that errors can be told by the largest
    factor[0] = 0.0f;
    factor[1] = -1.0f;
    for (const auto& [mode, bound] : kModes) {
      SCOPED_TRACE(c10::str(c.why, ", ", backward_text(mode)));
      const Layer layer = with_grad(c.layer);
      const Tensor scale = factor.detach().clone().requires_grad_();
      const Tensor y = c.run(layer, scale, {.backward = mode}).y, grad_y = at::randn(y.sizes());
      std::vector<Tensor> inputs = {layer.x, layer.weight, scale};
      if (layer.bias.has_value()) inputs.push_back(*layer.bias);
      const std::vector<Tensor> got = torch::autograd::grad({y}, inputs, {grad_y}),
                                expected = double_gradients(c, factor, grad_y);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].sizes(), inputs[i].sizes());
        EXPECT_LE(largest_error(got[i], expected[i]), bound) << "gradient " << i;
      }
      EXPECT_EQ(got[1][0].abs().max().item<float>(), 0.0f);  // a channel of factor 0 has no gradient
      EXPECT_NE(got[2][0].item<float>(), 0.0f);              // but its factor has
    }
  }
}

TEST_F(ChannelScale, GradientsPassWhereNoClipBitStands) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.why);
    const Layer plain = with_grad(c.layer), scaled = with_grad(c.layer);
    const Tensor y = c.call(plain, {}).y, grad_y = at::randn(y.sizes());
    const std::vector<Tensor> without = gradients_of(y, plain, grad_y);
    const std::vector<Tensor> with =
        gradients_of(c.run(scaled, at::full({c.layer.weight.size(0)}, -2.0f)).y, scaled, grad_y);
    EXPECT_EQ(first_difference(with[0] + 0.0f, without[0] * -2 + 0.0f), "");  // a power of two: exact
    EXPECT_EQ(first_difference(with[1] + 0.0f, without[1] * -2 + 0.0f), "");
    if (plain.bias.has_value()) {
      EXPECT_EQ(first_difference(with[2], without[2]), "");
    }
  }
}

TEST_F(ChannelScale, ComputesOnlyTheGradientsThatAreAskedFor) {
  for (const Case& c : cases()) {
    const Tensor grad_y = at::randn(c.run(c.layer, c.channel_scale).y.sizes());
    const auto run = [&](int subset) {
      Layer layer = c.layer;
      layer.x = layer.x.detach().clone().requires_grad_(subset & 1);
      layer.weight = layer.weight.detach().clone().requires_grad_(subset & 2);
      if (layer.bias.has_value()) layer.bias = layer.bias->detach().clone().requires_grad_(subset & 4);
      const Tensor scale = c.channel_scale.detach().clone().requires_grad_(subset & 8);
      const Tensor y = c.run(layer, scale).y;
      EXPECT_EQ(y.requires_grad(), (subset & (layer.bias.has_value() ? 15 : 11)) != 0);
      if (y.requires_grad()) y.backward(grad_y);
      return std::vector<Tensor>{layer.x.grad(), layer.weight.grad(),
                                 layer.bias.has_value() ? layer.bias->grad() : Tensor(), scale.grad()};
    };
    const std::vector<Tensor> all = run(15);
    for (int subset = 0; subset < 15; ++subset) {
      SCOPED_TRACE(c10::str(c.why, ", subset ", subset));
      const std::vector<Tensor> some = run(subset);
      for (int i = 0; i < 4; ++i) {
        const bool is_wanted = subset & (1 << i);
        if (is_wanted && i == 2 && all[i].defined() &&
            !c.is_linear()) {  // ATen sums a bias alone differently
          EXPECT_LT(largest_error(some[i], all[i]), 1e-6);
        } else {
          EXPECT_EQ(first_difference(some[i], is_wanted ? all[i] : Tensor()), "") << "gradient " << i;
        }
      }
    }
  }
}

TEST_F(ChannelScale, SaysWhatIsWrongWithIt) {
  for (const Case& c : cases()) {
    if (c.layer.weight_grid.group_size != 0) continue;
    const std::int64_t n = c.layer.weight.size(0);
    const std::string op = c10::str("[", c.op, "] ");
    expect_errors({
        {op + c10::str("channel_scale: expected ", n, " values, one an output, got shape [1]"),
         [&] { c.run(c.layer, at::ones({1})); }},
        {op + c10::str("channel_scale: expected ", n, " values, one an output, got shape [", n, ", 1]"),
         [&] {
           c.run(c.layer, at::ones({n, 1}));
         }},
        {op + "channel_scale: expected float32, got float64; call .to(torch::kFloat)",
         [&] { c.run(c.layer, at::ones({n}, at::kDouble)); }},
    });
  }
}

}  // namespace
}  // namespace samebits::ops
