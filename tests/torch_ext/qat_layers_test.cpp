// QATLinear and QATConv2d: equal to torch's layers while float, the grid of the weight, the integer forward
// against the operators, and errors with the layer's name.
#include "csrc/layers/conv2d.h"
#include "csrc/layers/linear.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/modules/layer_watch.h"

namespace samebits {
namespace {

using torch::Tensor;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

TEST(QATLinear, IsTorchsLinearToTheBitWhileFloatOrObserving) {
  for (const bool has_bias : {true, false}) {
    torch::manual_seed(1);
    torch::nn::Linear expected(torch::nn::LinearOptions(7, 5).bias(has_bias));
    torch::manual_seed(1);
    QATLinear layer(QATLinearOptions(7, 5).bias(has_bias));
    EXPECT_TRUE(same_bits(layer->weight, expected->weight));
    EXPECT_EQ(layer->parameters().size(), expected->parameters().size());
    for (const auto& shape : std::vector<std::vector<std::int64_t>>{{7}, {3, 7}, {2, 3, 7}, {0, 7}}) {
      const Tensor x = torch::randn(shape);
      for (const QuantizerState state : {QuantizerState::kFloat, QuantizerState::kObserving}) {
        layer->set_state(state);
        EXPECT_TRUE(same_bits(layer(x), expected(x)));
      }
    }
  }
}

TEST(QATConv2d, IsTorchsConv2dToTheBitWhileFloatOrObserving) {
  for (const bool has_bias : {true, false}) {
    torch::manual_seed(2);
    torch::nn::Conv2d expected(torch::nn::Conv2dOptions(4, 6, {3, 2})
                                   .stride({2, 1})
                                   .padding({1, 2})
                                   .dilation({1, 2})
                                   .groups(2)
                                   .bias(has_bias));
    torch::manual_seed(2);
    QATConv2d layer(QATConv2dOptions(4, 6, {3, 2})
                        .stride({2, 1})
                        .padding({1, 2})
                        .dilation({1, 2})
                        .groups(2)
                        .bias(has_bias));
    EXPECT_TRUE(same_bits(layer->weight, expected->weight));
    const Tensor x = torch::randn({2, 4, 9, 8});
    for (const QuantizerState state : {QuantizerState::kFloat, QuantizerState::kObserving}) {
      layer->set_state(state);
      EXPECT_TRUE(same_bits(layer(x), expected(x)));
    }
  }
}

TEST(QATLayers, TakeOverTheTensorsOfAFloatLayer) {
  torch::nn::Linear linear(3, 2);
  const QATLinearImpl from_linear(*linear);
  EXPECT_TRUE(from_linear.weight.is_same(linear->weight));
  EXPECT_TRUE(from_linear.bias.is_same(linear->bias));
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(2, 3, 3).bias(false));
  const QATConv2dImpl from_conv(*conv);
  EXPECT_TRUE(from_conv.weight.is_same(conv->weight));
  EXPECT_FALSE(from_conv.bias.defined());
}

TEST(QATConv2d, RefusesPaddingThatIsNotZerosOfAFixedSize) {
  torch::nn::Conv2d reflect(torch::nn::Conv2dOptions(1, 1, 3).padding(1).padding_mode(torch::kReflect));
  torch::nn::Conv2d same(torch::nn::Conv2dOptions(1, 1, 3).padding(torch::kSame));
  EXPECT_EQ(error_of([&] { QATConv2dImpl layer(*reflect); }),
            "[conv2d] torch::nn::Conv2dImpl: expected padding_mode zeros, got another; pad before the layer");
  EXPECT_EQ(error_of([&] { QATConv2dImpl layer(*same); }),
            "[conv2d] torch::nn::Conv2dImpl: expected padding as a number of pixels, got same or valid; "
            "write the number");
}

TEST(QATLayers, RememberTheSchemeOfTheirOwnOptions) {
  EXPECT_FALSE(QATLinear(4, 3)->own_config().has_value());
  const QATLinear linear(QATLinearOptions(64, 3).weight_bits(4).group_size(32));
  EXPECT_EQ(linear->own_config()->weight.bits, 4);
  EXPECT_EQ(linear->own_config()->weight.granularity, Granularity::kPerGroup);
  EXPECT_EQ(linear->own_config()->activation.bits, 8);
  const QATConv2d conv(QATConv2dOptions(1, 2, 3).bits(6).activation_bits(7));
  EXPECT_EQ(conv->own_config()->weight.bits, 6);
  EXPECT_EQ(conv->own_config()->activation.bits, 7);
  LayerConfig scheme;
  scheme.weight.granularity = Granularity::kPerTensor;
  EXPECT_EQ(*QATLinear(QATLinearOptions(4, 3).scheme(scheme))->own_config(), scheme);
}

/// The weight's grid as the oracle has it, for rows of `row_length` cut into groups.
void expect_weight_grid(QATLayer& layer, std::int64_t rows, std::int64_t group_size) {
  const WeightConfig& config = layer.config().weight;
  const ops::WeightGrid grid = layer.weight_grid();
  const Tensor flat = layer.weight.detach().reshape({rows, -1});
  const std::int64_t length = group_size == 0 ? flat.size(1) : group_size;
  std::int64_t index = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t first = 0; first < flat.size(1); first += length, ++index) {
      const Tensor part = flat[row].slice(0, first, std::min(first + length, flat.size(1)));
      const oracle::Grid expected =
          oracle::grid_of_range(part.min().item<float>(), part.max().item<float>(), config.weight_qmin(),
                                config.qmax(), config.symmetric);
      EXPECT_EQ(grid.scale.flatten()[index].item<float>(), expected.scale) << "grid " << index;
      const int zero_point = config.symmetric ? 0 : grid.zero_point->flatten()[index].item<int>();
      EXPECT_EQ(zero_point, expected.zero_point) << "grid " << index;
    }
  }
  EXPECT_EQ(grid.scale.numel(), index);
  EXPECT_EQ(grid.zero_point.has_value(), !config.symmetric);
}

TEST(QATLayers, TakeTheWeightsGridFromItsRangePerTensorChannelOrGroup) {
  torch::manual_seed(3);
  for (const int bits : {3, 7}) {
    for (const bool symmetric : {true, false}) {
      LayerConfig config;
      config.weight.bits = bits;
      config.weight.symmetric = symmetric;
      QATLinear linear(80, 3);
      QATConv2d conv(2, 4, 3);
      for (const auto& [granularity, group_size] :
           {std::pair(Granularity::kPerTensor, 0), std::pair(Granularity::kPerChannel, 0),
            std::pair(Granularity::kPerGroup, 32)}) {
        SCOPED_TRACE(
            c10::str(bits, " bits, ", symmetric ? "symmetric" : "affine", ", groups of ", group_size));
        config.weight.granularity = granularity;
        config.weight.group_size = group_size;
        linear->configure(config, "fc1", 0);
        expect_weight_grid(*linear, granularity == Granularity::kPerTensor ? 1 : 3, group_size);
        conv->configure(config, "conv1", 0);  // groups become channels
        expect_weight_grid(*conv, granularity == Granularity::kPerTensor ? 1 : 4, 0);
      }
    }
  }
}

TEST(QATLinear, ComputesWithTheOperatorWhileQuantizingAndFrozen) {
  torch::manual_seed(4);
  for (const QuantizerState state : {QuantizerState::kQuantizing, QuantizerState::kFrozen}) {
    for (const bool has_bias : {true, false}) {
      QATLinear layer(QATLinearOptions(64, 5).bias(has_bias));
      LayerConfig config;
      config.weight.bits = 4;
      config.weight.granularity = Granularity::kPerGroup;
      config.weight.group_size = 32;
      layer->configure(config, "fc1", 0);
      layer->set_state(QuantizerState::kObserving);
      const Tensor x = torch::randn({6, 64});
      const Tensor float_y = layer(x);
      layer->set_state(state);
      layer->eval();
      const auto out = ops::linear(x, layer->weight, has_bias ? std::optional(layer->bias) : std::nullopt,
                                   layer->input().grid(), layer->weight_grid());
      const Tensor y = layer(x);
      EXPECT_TRUE(same_bits(y, out.y));
      EXPECT_FALSE(same_bits(y, float_y));
      EXPECT_TRUE(torch::allclose(y, float_y, 0.3, 0.3));
      y.sum().backward();
      EXPECT_TRUE(layer->weight.grad().defined());
      EXPECT_EQ(layer->bias.defined() && layer->bias.grad().defined(), has_bias);
    }
  }
}

TEST(QATConv2d, ComputesWithTheOperatorWhileQuantizing) {
  torch::manual_seed(5);
  QATConv2d layer(QATConv2dOptions(2, 4, 3).stride(2).padding(1));
  layer->configure(LayerConfig(), "conv1", 0);
  layer->set_state(QuantizerState::kObserving);
  const Tensor x = torch::randn({2, 2, 7, 7});
  layer(x);
  layer->set_state(QuantizerState::kQuantizing);
  layer->eval();
  const auto out = ops::conv2d(x, layer->weight, layer->bias, {{2, 2}, {1, 1}, {1, 1}, 1},
                               layer->input().grid(), layer->weight_grid());
  EXPECT_TRUE(same_bits(layer(x), out.y));
}

TEST(QATLayers, AreAReluAndALayerInEveryStateWhenTheReluIsTheirOwn) {
  torch::manual_seed(8);
  torch::nn::Linear linear(20, 5);
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(2, 4, 3).padding(1));
  const auto expect_relu = [](QATLayer& folded, QATLayer& plain, const auto& forward_folded,
                              const auto& forward_plain, const Tensor& x) {
    EXPECT_TRUE(folded.has_relu_input());
    for (const QuantizerState state : {QuantizerState::kFloat, QuantizerState::kObserving,
                                       QuantizerState::kQuantizing, QuantizerState::kFrozen}) {
      SCOPED_TRACE(state_name(state));
      folded.set_state(state);
      plain.set_state(state);
      EXPECT_TRUE(same_bits(forward_folded(x), forward_plain(torch::relu(x))));
      EXPECT_EQ(folded.input().affine_grid(), plain.input().affine_grid());
      EXPECT_TRUE(same_bits(folded.float_forward(x), plain.float_forward(torch::relu(x))));
    }
  };
  QATLinearImpl folded_linear(*linear, std::nullopt, /*relu_input=*/true), plain_linear(*linear);
  expect_relu(
      folded_linear, plain_linear, [&](const Tensor& x) { return folded_linear.forward(x); },
      [&](const Tensor& x) { return plain_linear.forward(x); }, torch::randn({6, 20}));
  QATConv2dImpl folded_conv(*conv, std::nullopt, /*relu_input=*/true), plain_conv(*conv);
  expect_relu(
      folded_conv, plain_conv, [&](const Tensor& x) { return folded_conv.forward(x); },
      [&](const Tensor& x) { return plain_conv.forward(x); }, torch::randn({2, 2, 7, 7}));
}

TEST(QATLayers, QuantizeTheirWeightAsTheOracleDoes) {
  torch::manual_seed(6);
  LayerConfig config;
  config.weight.bits = 5;
  config.weight.symmetric = false;
  QATLinear layer(9, 4);
  layer->configure(config, "fc1", 0);
  const quant::QuantizedTensor quantized = layer->quantized_weight();
  for (std::int64_t i = 0; i < 36; ++i) {
    const oracle::Grid grid{quantized.scale[i / 9], quantized.zero_point[i / 9], -16, 15};
    EXPECT_EQ(quantized.codes[i], oracle::code(layer->weight.flatten()[i].item<float>(), grid));
  }
  config.weight.symmetric = true;
  layer->configure(config, "fc1", 0);
  EXPECT_TRUE(layer->quantized_weight().zero_point.empty());
}

TEST(QATLayers, NameThemselvesWhenTheWeightIsNotFinite) {
  for (const auto& [value, expected] : {
           std::pair(
               kNaN,
               "[qat] fc1: expected numbers in the weight, got NaN; look at the learning rate and the loss "
               "before this step"),
           std::pair(
               -kInfinity,
               "[qat] fc1: expected finite values in the weight, got infinity; look at the learning rate"),
       }) {
    QATLinear layer = observing_linear();
    layer(batch(-1, 1));
    layer->set_state(QuantizerState::kQuantizing);
    {
      const torch::NoGradGuard no_grad;
      layer->weight[1][2] = value;
    }
    EXPECT_EQ(error_of([&] { layer(batch(-1, 1)); }), expected);
    EXPECT_EQ(error_of([&] { layer->quantized_weight(); }), expected);
  }
}

TEST(QATLayers, RefuseSumsThatInt32DoesNotHold) {
  QATLinear wide(70000, 1);
  LayerConfig config;
  EXPECT_EQ(error_of([&] { wide->configure(config, "encoder.fc1", 0); }),
            "[linear] encoder.fc1: expected in_features <= 66311 for int8 sums in int32, got 70000; use "
            "7-bit weights or "
            "split the layer");
  config.weight.granularity = Granularity::kPerGroup;
  config.weight.group_size = 32;
  EXPECT_EQ(error_of([&] { wide->configure(config, "encoder.fc1", 0); }), "no error");
  config = LayerConfig();
  config.weight.bits = 7;
  EXPECT_EQ(error_of([&] { wide->configure(config, "encoder.fc1", 0); }), "no error");

  QATConv2d deep(7400, 1, 3);
  EXPECT_EQ(error_of([&] { deep->configure(LayerConfig(), "conv1", 0); }),
            "[conv2d] conv1: expected in_channels / groups * kernel size <= 66311 for int8 sums in int32, "
            "got 66600; use "
            "7-bit weights or split the layer");
}

TEST(LayerWatch, SeesEveryCallUntilItEndsAndShadowsAnEarlierOne) {
  QATLinear layer = observing_linear();
  std::vector<std::string> seen;
  const auto watcher = [&](const std::string& name) {
    return [&seen, name](const QATLayer& watched, const Tensor& x, const Tensor& y) {
      seen.push_back(c10::str(name, " ", watched.path(), " ", x.sizes(), " ", y.sizes()));
    };
  };
  layer(batch(-1, 1));
  {
    const LayerWatch outer(watcher("outer"));
    layer(batch(-1, 1));
    {
      const LayerWatch inner(watcher("inner"));
      layer(torch::zeros({2, 4}));
    }
    layer(torch::zeros({3, 4}));
  }
  layer(batch(-1, 1));
  EXPECT_THAT(seen, testing::ElementsAre("outer fc1 [1, 4] [1, 3]", "inner fc1 [2, 4] [2, 3]",
                                         "outer fc1 [3, 4] [3, 3]"));
}

}  // namespace
}  // namespace samebits
