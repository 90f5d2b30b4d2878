// prepare(): which layers it converts, what it reports, what it refuses, and that a model goes on training
// with the parameters and the optimizer it had.
#include "torch_ext/prepare.h"
#include "graph/operator.h"

#include "tests/torch_ext/models.h"
#include "torch_ext/config/qconfig_yaml.h"
#include "torch_ext/convert.h"

namespace samebits {
namespace {

using torch::Tensor;
namespace nn = torch::nn;

/// A part with a Sequential of its own, as nested models have it.
struct BlockImpl : nn::Module {
  nn::Sequential body{nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8)};
  BlockImpl() { register_module("body", body); }
  Tensor forward(const Tensor& x) { return body->forward(x) + x; }
};
TORCH_MODULE(Block);

/// Convolutions in a Sequential, a nested block, and layers in typed members.
struct Net : nn::Module {
  nn::Sequential features{nn::Conv2d(nn::Conv2dOptions(1, 4, 3).padding(1)), nn::ReLU(), nn::Flatten()};
  QATLinear fc1{QATLinearOptions(64, 8).weight_bits(4)};
  nn::Sequential blocks{Block(), Block()};
  nn::Linear head{8, 3};
  Net() {
    register_module("features", features);
    register_module("fc1", fc1);
    register_module("blocks", blocks);
    register_module("head", head);
  }
  Tensor forward(const Tensor& x) { return head(blocks->forward(fc1(features->forward(x)))); }
};

QConfig skipping(const std::string& glob, QConfig config = QConfig()) {
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back(glob, skip);
  return config;
}

Tensor images(std::int64_t n) {
  return torch::randn({n, 1, 4, 4});
}

TEST(Prepare, ReportsEveryLayerWithItsSchemeAndWhyItWasSkipped) {
  Net net;
  const Prepared prepared =
      prepare(net, skipping("head", skipping("blocks.1.*", QConfig::preset("w4a8"))), images(1));
  EXPECT_EQ(
      prepared.report(),
      "layer            kind        weight             input        result\n"
      "features.0       conv2d      int4 per channel   int8 affine  converted (groups became channels: "
      "conv2d has none)\n"
      "fc1              linear      int4 per channel   int8 affine  converted (scheme of its own options)\n"
      "blocks.0.body.0  linear      int4 groups of 32  int8 affine  converted\n"
      "blocks.0.body.2  linear      int4 groups of 32  int8 affine  converted\n"
      "blocks.1.body.0  nn::Linear                                  skipped (the configuration skips it)\n"
      "blocks.1.body.2  nn::Linear                                  skipped (the configuration skips it)\n"
      "head             nn::Linear                                  skipped (the configuration skips it)\n"
      "cannot ship\n"
      "  aten::addmm: expected one of " +
          graph::operator_names() +
          ", got aten::addmm; the order of its sums is its library's: make it a QAT layer, and skip it if it "
          "shall stay "
          "float\n");
  EXPECT_EQ(prepared.layers().size(), 4u);
  EXPECT_EQ(prepared.statuses().size(), 7u);
  EXPECT_EQ(prepared.state(), QuantizerState::kObserving);
}

TEST(Prepare, RefusesAnExceptionThatMatchesNoLayerAndNamesTheNearest) {
  const std::string expected =
      ": expected the name of a layer or a glob that matches one, got no match; the nearest layer is ";
  const std::pair<const char*, const char*> cases[] = {{"fc2", "layers.fc2"},
                                                       {"blocks.0.body.1", "layers.\"blocks.0.body.1\""},
                                                       {"conv*", "layers.\"conv*\""}};
  const char* const nearest[] = {"\"fc1\"", "\"blocks.0.body.0\"", "\"fc1\""};
  for (std::size_t i = 0; i < 3; ++i) {
    Net net;
    EXPECT_EQ(error_of([&] { prepare(net, skipping(cases[i].first, skipping("head")), images(1)); }),
              std::string("[prepare] ") + cases[i].second + expected + nearest[i]);
    EXPECT_EQ(net.fc1->state(), QuantizerState::kFloat);
  }
}

TEST(Prepare, WritesSchemesInWords) {
  QScheme scheme;
  EXPECT_EQ(scheme_text(scheme), "int8 affine");
  scheme = {.bits = 7, .granularity = Granularity::kPerChannel};
  EXPECT_EQ(scheme_text(scheme), "int7 affine per channel");
  scheme = {.bits = 4, .granularity = Granularity::kPerGroup, .group_size = 64, .symmetric = true};
  EXPECT_EQ(scheme_text(scheme), "int4 groups of 64");
}

TEST(Prepare, LeavesTheForwardAsItWasUntilTheLayersQuantize) {
  torch::manual_seed(1);
  Net net;
  const Tensor x = images(5);
  net.eval();
  const Tensor before = net.forward(x);
  Prepared prepared = prepare(net, skipping("head"), x);
  EXPECT_TRUE(same_bits(net.forward(x), before));
  calibrate(net, prepared, {x});
  const Tensor after = net.forward(x);
  EXPECT_FALSE(same_bits(after, before));
  EXPECT_TRUE(torch::allclose(after, before, 0.1, 0.1));
}

TEST(Prepare, KeepsTheParameterTensorsSoThatAnEarlierOptimizerTrainsThem) {
  torch::manual_seed(2);
  Net net;
  const std::vector<Tensor> before = net.parameters();
  torch::optim::SGD optimizer(net.parameters(), 0.1);
  Prepared prepared = prepare(net, skipping("head"), images(1), /*observe_steps=*/1);
  const std::vector<Tensor> after = net.parameters();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(after[i].is_same(before[i])) << "parameter " << i;

  const std::vector<Tensor> values = [&] {
    std::vector<Tensor> copies;
    for (const Tensor& each : after) copies.push_back(each.detach().clone());
    return copies;
  }();
  net.forward(images(8)).square().sum().backward();
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
  optimizer.step();
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_FALSE(same_bits(after[i], values[i])) << "parameter " << i;
}

TEST(Prepare, LearnsThroughTheChangeToIntegers) {
  torch::manual_seed(3);
  Mlp model;
  const Tensor x = torch::randn({64, 12}), target = x.narrow(1, 0, 3) * 0.5;
  Prepared prepared = prepare(model, QConfig::preset("int8"), x, /*observe_steps=*/5);
  torch::optim::Adam optimizer(model.parameters(), 0.02);
  std::vector<float> losses;
  for (int step = 0; step < 150; ++step) {
    optimizer.zero_grad();
    const Tensor loss = torch::mse_loss(model.forward(x), target);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<float>());
    EXPECT_EQ(prepared.state(), step < 4 ? QuantizerState::kObserving : QuantizerState::kQuantizing)
        << "step " << step;
  }
  EXPECT_LT(losses.back(), 0.2f * losses[5]);
}

TEST(Prepare, ReplacesTheModuleInTheSequentialThatForwardWalks) {
  nn::Sequential model(nn::Linear(4, 4), nn::ReLU(), nn::Linear(4, 2));
  const Prepared prepared = prepare(model, QConfig(), torch::randn({1, 4}));
  ASSERT_EQ(prepared.layers().size(), 2u);
  EXPECT_EQ(model->ptr(0).get(), prepared.layers()[0].get());
  EXPECT_EQ(model->named_children()["2"].get(), prepared.layers()[1].get());
  EXPECT_EQ(prepared.layers()[1]->path(), "2");
}

TEST(Prepare, FollowsTheModelIntoTrainingOrEvalMode) {
  for (const bool training : {true, false}) {
    nn::Sequential model(nn::Linear(4, 4));
    model->train(training);
    const Prepared prepared = prepare(model, QConfig(), torch::randn({1, 4}));
    EXPECT_EQ(model->is_training(), training);
    EXPECT_EQ(prepared.layers()[0]->is_training(), training);
    EXPECT_FALSE(prepared.layers()[0]->input().has_observed());  // the example is no training batch
  }
}

TEST(Prepare, TakesThePlainSchemeByGlobAndTheOwnOptionsBeforeIt) {
  Net net;
  QConfig config = skipping("head");
  LayerConfig six;
  six.weight.bits = 6;
  config.layers.emplace_back("f*", six);
  const Prepared prepared = prepare(net, config, images(1));
  EXPECT_EQ(prepared.layers()[0]->config().weight.bits, 6);  // features.0
  EXPECT_EQ(prepared.layers()[1]->config().weight.bits, 4);  // fc1 says it itself
  EXPECT_EQ(prepared.layers()[2]->config().weight.bits, 8);
}

TEST(Prepare, TakesItsConfigurationFromYamlToo) {
  Mlp model;
  const char* yaml = "{weight: {bits: 6}, layers: {fc2: {skip: true}}}";
  const Prepared prepared =
      prepare(model, read_qconfig(YamlValue::parse(yaml, "qat.yaml")), torch::randn({1, 12}));
  EXPECT_EQ(prepared.report(),
            "layer  kind    weight            input        result\n"
            "fc1    linear  int6 per channel  int8 affine  converted\n"
            "fc2    linear                                 skipped (the configuration skips it)\n");
}

TEST(Prepare, CanBeCalledAgainWithAnotherConfiguration) {
  Mlp model;
  const Tensor x = torch::randn({4, 12});
  Prepared first = prepare(model, QConfig(), x);
  calibrate(model, first, {x});
  const Prepared second = prepare(model, skipping("fc2", QConfig::preset("w4a8")), x);
  EXPECT_EQ(model.fc1->config().weight.bits, 4);
  EXPECT_EQ(model.fc1->state(), QuantizerState::kObserving);
  EXPECT_EQ(model.fc2->state(), QuantizerState::kFloat);
  EXPECT_EQ(second.layers().size(), 1u);
}

TEST(Prepare, RefusesAFloatLayerInATypedMemberAndChangesNothing) {
  Net net;
  EXPECT_EQ(error_of([&] { prepare(net, QConfig(), images(1)); }),
            "[prepare] head: expected a samebits layer or a member of a Sequential, got nn::Linear in a "
            "typed member; "
            "declare it samebits::QATLinear or skip it");
  EXPECT_NE(std::dynamic_pointer_cast<nn::Conv2dImpl>(net.features->ptr(0)), nullptr);

  struct Two : nn::Module {
    nn::Conv2d conv{1, 1, 1};
    nn::Linear fc{1, 1};
    Two() {
      register_module("conv", conv);
      register_module("fc", fc);
    }
    Tensor forward(const Tensor& x) { return x; }
  } two;
  EXPECT_EQ(error_of([&] { prepare(two, QConfig(), images(1)); }),
            "[prepare] conv: expected a samebits layer or a member of a Sequential, got nn::Conv2d in a "
            "typed member; "
            "declare it samebits::QATConv2d or skip it; fc: expected a samebits layer or a member of a "
            "Sequential, got "
            "nn::Linear in a typed member; declare it samebits::QATLinear or skip it");
}

/// Layers with a forward of their own.
struct DoubledImpl : nn::LinearImpl {
  using nn::LinearImpl::LinearImpl;
  Tensor forward(const Tensor& x) { return 2 * nn::LinearImpl::forward(x); }
};
TORCH_MODULE(Doubled);
struct ShiftedNormImpl : nn::BatchNorm1dImpl {
  using nn::BatchNorm1dImpl::BatchNorm1dImpl;
  Tensor forward(const Tensor& x) { return nn::BatchNorm1dImpl::forward(x) + 1; }
};
TORCH_MODULE(ShiftedNorm);

TEST(Prepare, LeavesClassesDerivedFromLayersTheirForward) {
  nn::Sequential model{nn::Linear(12, 12), ShiftedNorm(12), Doubled(12, 3)};
  const Tensor x = torch::randn({8, 12});
  model->eval();
  const Tensor before = model->forward(x);
  EXPECT_EQ(error_of([&] { prepare(model, QConfig(), x); }),
            "[prepare] 2: expected nn::Linear itself, got a class derived from it, whose forward a samebits "
            "layer would not call; derive from samebits::QATLinearImpl, capture() the model, or skip it");
  EXPECT_TRUE(same_bits(model->forward(x), before));
  prepare(model, skipping("2"), x);
  EXPECT_TRUE(same_bits(model->forward(x), before));
  EXPECT_NE(std::dynamic_pointer_cast<ShiftedNormImpl>(model->ptr(1)), nullptr);
  EXPECT_NE(std::dynamic_pointer_cast<DoubledImpl>(model->ptr(2)), nullptr);
}

TEST(Prepare, RefusesALayerThatTheExampleDoesNotReach) {
  struct Unused : Mlp {
    QATLinear extra{12, 3};
    Unused() { register_module("extra", extra); }
  } model;
  const Tensor x = torch::randn({2, 12});
  const Tensor before = model.forward(x);
  EXPECT_EQ(error_of([&] { prepare(model, QConfig(), x); }),
            "[prepare] extra: expected to be reached by the example input, got no call; use the layer in "
            "forward, or skip "
            "it");
  EXPECT_TRUE(same_bits(model.forward(x), before));
  EXPECT_EQ(model.fc1->state(), QuantizerState::kFloat);
  EXPECT_EQ(error_of([&] { prepare(model, skipping("extra"), x); }), "no error");
}

TEST(Prepare, TakesALayerThatIsTheModel) {
  QATLinear model(12, 5);
  const torch::Tensor x = torch::randn({16, 12});
  Prepared prepared = prepare(model, QConfig(), x);
  EXPECT_EQ(prepared.report(),
            "layer      kind    weight            input        result\n"
            "QATLinear  linear  int8 per channel  int8 affine  converted\n");
  EXPECT_EQ(error_of([&] { convert(model, x); }),
            "[export] QATLinear: expected state quantizing or frozen, got observing; train past "
            "qat.observe_steps or call freeze()");
  calibrate(model, prepared, {x});
  const QuantizedModel quantized = convert(model, x);
  ASSERT_EQ(quantized.graph().nodes.size(), 1u);
  EXPECT_EQ(quantized.graph().nodes[0].name, "QATLinear");
}

TEST(Prepare, RefusesAModelWithoutLayersAndAWrongConfiguration) {
  nn::Sequential empty{nn::ReLU()};
  EXPECT_EQ(error_of([&] { prepare(empty, QConfig(), torch::ones({1})); }),
            "[prepare] model: expected at least one layer to convert, got none; build it of QATLinear and "
            "QATConv2d");
  Mlp model;
  QConfig nine;
  nine.defaults.weight.bits = 9;
  EXPECT_EQ(error_of([&] {
              prepare(model, nine, torch::ones({1, 12}));
            }),
            "[qconfig] weight.bits: expected an integer in 2..8, got 9; for a float layer set skip");
}

TEST(Prepared, SetsTheStateOfAllLayersAndTellsTheOneFurthestBehind) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}));
  EXPECT_EQ(error_of([&] { prepared.freeze(); }),
            "[qat] fc1: expected at least one observed batch before frozen, got none; run the model in "
            "training mode while "
            "it observes");
  model.forward(torch::randn({4, 12}));
  prepared.quantize();
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
  prepared.freeze();
  EXPECT_EQ(prepared.state(), QuantizerState::kFrozen);
  model.fc2->set_state(QuantizerState::kObserving);
  EXPECT_EQ(prepared.state(), QuantizerState::kObserving);
}

TEST(Calibrate, ObservesEveryBatchInEvalModeAndFreezes) {
  torch::manual_seed(4);
  Cnn model;
  QConfig config;
  config.defaults.activation.observer = ObserverKind::kMinMax;
  Prepared prepared = prepare(model, config, torch::randn({1, 2, 8, 8}), /*observe_steps=*/1);
  const std::vector<Tensor> batches = {torch::randn({3, 2, 8, 8}), torch::randn({3, 2, 8, 8}) * 4};
  calibrate(model, prepared, batches);
  EXPECT_EQ(prepared.state(), QuantizerState::kFrozen);
  EXPECT_TRUE(model.is_training());
  const kernels::AffineGrid grid = model.conv1->input().affine_grid();
  const Tensor all = torch::cat(batches);
  EXPECT_NEAR(grid.scale * 255, (all.max() - all.min()).item<float>(), 1e-4);
  model.forward(torch::randn({1, 2, 8, 8}) * 100);  // training mode, but frozen
  EXPECT_EQ(model.conv1->input().affine_grid(), grid);
}

TEST(Calibrate, LeavesCalibrationWhenABatchIsRefused) {
  Mlp model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 12}));
  EXPECT_EQ(error_of([&] {
              calibrate(model, prepared, {torch::full({1, 12}, std::nanf(""))});
            }),
            "[qat] fc1: expected numbers at the input, got NaN; look at the batch, the layer before and the "
            "learning rate");
  model.eval();
  model.forward(torch::randn({1, 12}));
  EXPECT_FALSE(model.fc1->input().has_observed());
  EXPECT_EQ(error_of([&] { calibrate(model, prepared, {}); }),
            "[qat] fc1: expected at least one observed batch before frozen, got none; run the model in "
            "training mode while "
            "it observes");
}

}  // namespace
}  // namespace samebits
