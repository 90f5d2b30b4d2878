// torch_ext/ptq/sensitivity.h: weights are put back bit for bit, measures are those of an oracle, and the
// trace is that of Hessians that are known.
#include "torch_ext/ptq/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/torch_ext/models.h"
#include "torch_ext/ptq/bits.h"

namespace samebits {
namespace {

class Sensitivity : public ModelTest {};

double log10_ratio(double a, double b) {
  return 10.0 * std::log10(a / b);
}

TEST_F(Sensitivity, OfEveryLayerIsTheNoiseOfItsOwnGrids) {
  Mlp model;
  const torch::Tensor example = torch::randn({1, 12});
  const ModelRef ref = model_ref(model);
  const SensitivityAnalyzer analyzer(ref, QConfig(), example);
  ASSERT_EQ(analyzer.paths(), (std::vector<std::string>{"fc1", "fc2"}));
  const LayerSensitivity found = analyzer.analyze(0, {3, 8}, {}, 0, {});
  EXPECT_EQ(found.shape.out, 16);
  EXPECT_EQ(found.shape.row_length, 12);
  EXPECT_EQ(found.shape.positions, 1);
  EXPECT_EQ(found.shape.x_elements, 12);
  EXPECT_EQ(found.shape.y_elements, 16);
  ASSERT_EQ(found.bits.size(), 2u);
  const float* w = model.fc1->weight.const_data_ptr<float>();
  for (std::size_t b = 0; b < 2; ++b) {
    const int qmax = b == 0 ? 3 : 127, qmin = b == 0 ? -4 : -127;
    double signal = 0, noise = 0;
    for (int row = 0; row < 16; ++row) {
      const auto [min, max] = std::minmax_element(w + row * 12, w + (row + 1) * 12);
      const oracle::Grid grid = oracle::grid_of_range(*min, *max, qmin, qmax, /*symmetric=*/true);
      for (int i = 0; i < 12; ++i) {
        const float r = w[row * 12 + i];
        const double error = double{r} - double{oracle::dequantize(oracle::code(r, grid), grid)};
        signal += double{r} * double{r};
        noise += error * error;
      }
    }
    EXPECT_NEAR(found.bits[b].sqnr_db, log10_ratio(signal, noise), 1e-6);
    EXPECT_TRUE(std::isnan(found.bits[b].score_drop));
    EXPECT_TRUE(std::isnan(found.bits[b].hessian));
  }
  EXPECT_GT(found.bits[1].sqnr_db, found.bits[0].sqnr_db + 20);
}

TEST_F(Sensitivity, RunsTheScoreWithOneLayerQuantizedAndAllElseAsItWas) {
  Cnn model;
  const torch::Tensor x = torch::randn({4, 2, 8, 8});
  const std::vector<torch::Tensor> before = {model.conv1->weight.clone(), model.conv2->weight.clone(),
                                             model.fc->weight.clone()};
  const ModelRef ref = model_ref(model);
  const SensitivityAnalyzer analyzer(ref, QConfig::preset("w4a8"), x.narrow(0, 0, 1));
  int calls = 0;
  const auto score = [&] {
    ++calls;
    EXPECT_TRUE(same_bits(model.conv1->weight, before[0]));
    EXPECT_FALSE(same_bits(model.conv2->weight, before[1]));
    EXPECT_TRUE(same_bits(model.fc->weight, before[2]));
    return 0.25;
  };
  const LayerSensitivity found = analyzer.analyze(1, {2, 4}, score, 1.0, {});
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(found.kind, "conv2d");
  EXPECT_EQ(found.bits[0].score_drop, 0.75);
  EXPECT_TRUE(same_bits(model.conv2->weight, before[1]));
}

TEST_F(Sensitivity, PutsWeightsBackWhenTheScoreThrows) {
  Mlp model;
  const torch::Tensor before = model.fc2->weight.clone();
  const ModelRef ref = model_ref(model);
  const SensitivityAnalyzer analyzer(ref, QConfig(), torch::randn({1, 12}));
  const auto throws = []() -> double { throw std::runtime_error("the user's own"); };
  EXPECT_EQ(error_of([&] { analyzer.analyze(1, {2}, throws, 0, {}); }), "the user's own");
  EXPECT_TRUE(same_bits(model.fc2->weight, before));
}

TEST_F(Sensitivity, LeavesStatesAndSchemesAsTheyWere) {
  Mlp model;
  const torch::Tensor x = torch::randn({8, 12});
  Prepared prepared = prepare(model, QConfig::preset("w4a8"), x, 0);
  calibrate(model, prepared, {x});
  const LayerConfig config = model.fc1->config();
  const torch::Tensor y = model.forward(x).detach();
  {
    const ModelRef ref = model_ref(model);
    const SensitivityAnalyzer analyzer(ref, QConfig(), x.narrow(0, 0, 1));
    EXPECT_EQ(model.fc1->state(), QuantizerState::kFloat);
    analyzer.analyze(0, {2, 3}, {}, 0, {});
  }
  EXPECT_EQ(model.fc1->state(), QuantizerState::kFrozen);
  EXPECT_EQ(model.fc1->config(), config);
  EXPECT_TRUE(same_bits(model.forward(x), y));
}

TEST_F(Sensitivity, NamesTheLayerWhoseWeightIsNotFinite) {
  Mlp model;
  freeze(model, {1, 12});
  const ModelRef ref = model_ref(model);
  const SensitivityAnalyzer analyzer(ref, QConfig(), torch::randn({1, 12}));
  {
    const torch::NoGradGuard no_grad;
    model.fc2->weight[0][0] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_EQ(
      error_of([&] { analyzer.analyze(1, {4}, {}, 0, {}); }),
      "[qat] fc2: expected numbers in the weight, got NaN; look at the learning rate and the loss before "
      "this step");
}

TEST_F(Sensitivity, RefusesAModelWithoutLayers) {
  torch::nn::Linear model(12, 3);
  EXPECT_EQ(error_of([&] {
              const ModelRef ref = model_ref(model);
              SensitivityAnalyzer(ref, QConfig(), torch::randn({1, 12}));
            }),
            "[sensitivity] model: expected at least one QATLinear or QATConv2d that the example reaches, got "
            "none; build the model of them");
}

TEST_F(Sensitivity, TraceIsThatOfAQuadraticLoss) {
  // loss = mean((x wᵀ)²) over n·out elements: each row of w has the Hessian 2 xᵀx / (n·out).
  torch::Tensor w = torch::randn({5, 7}).set_requires_grad(true);
  const torch::Tensor x = torch::randn({32, 7}), before = w.detach().clone();
  const auto loss = [&] { return torch::matmul(x, w.t()).square().mean(); };
  const double expected = 2.0 * x.to(torch::kDouble).square().sum().item<double>() / 32.0;
  // A random sign vector sees the off-diagonal elements with either sign: many of them, so that they cancel.
  EXPECT_NEAR(hutchinson_trace(w, loss, 400, 1), expected, 0.05 * expected);
  EXPECT_EQ(hutchinson_trace(w, loss, 3, 1), hutchinson_trace(w, loss, 3, 1));
  EXPECT_TRUE(same_bits(w, before));
}

TEST_F(Sensitivity, TraceIsExactWhereTheHessianIsDiagonal) {
  torch::Tensor w = torch::randn({4, 3}).set_requires_grad(true);
  const torch::Tensor scale = torch::arange(1, 13, torch::kFloat).view({4, 3});
  const auto loss = [&] { return (scale * w.square()).sum(); };
  EXPECT_NEAR(hutchinson_trace(w, loss, 1, 9), 2 * 78.0, 0.01);
}

TEST_F(Sensitivity, HessianMeasureIsTheMeanTraceTimesTheNoise) {
  Mlp model;
  const torch::Tensor x = torch::randn({16, 12});
  const ModelRef ref = model_ref(model);
  const SensitivityAnalyzer analyzer(ref, QConfig(), x.narrow(0, 0, 1));
  const auto loss = [&] { return model.forward(x).square().mean(); };
  const LayerSensitivity found = analyzer.analyze(1, {4}, {}, 0, loss);
  const double signal = model.fc2->weight.detach().to(torch::kDouble).square().sum().item<double>();
  const double noise = signal / std::pow(10.0, found.bits[0].sqnr_db / 10.0);
  EXPECT_GT(found.hessian_trace, 0);
  EXPECT_NEAR(found.bits[0].hessian, found.hessian_trace / 48.0 * noise, 1e-9);
}

TEST(WithBits, GivesEachLayerItsOwnWidthAndLeavesFloatWhatHasMore) {
  QConfig config = QConfig::preset("w4a8");
  config.layers = {{"fc*", at_bits(config.defaults, 6)}, {"fc1", at_bits(config.defaults, 5)}};
  const QConfig planned = with_bits(config, {"fc1", "fc2", "fc3"}, {8, 4, 32});
  planned.check();
  EXPECT_EQ(planned.layer("fc1").weight.bits, 8);
  EXPECT_EQ(planned.layer("fc1").weight.group_size, 32);
  EXPECT_EQ(planned.layer("fc2").weight.bits, 4);
  EXPECT_TRUE(planned.layer("fc3").skip);
  EXPECT_EQ(planned.layer("fc4").weight.bits, 6);
}

}  // namespace
}  // namespace samebits
