// The quantizer of a layer's input: its states, its observers against values computed by hand, what it
// refuses, and that save and load carry it.
#include "torch_ext/quantizer/activation_quantizer.h"

#include <sstream>

#include "csrc/layers/linear.h"
#include "tests/torch_ext/models.h"

namespace samebits {
namespace {

using torch::Tensor;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

LayerConfig config_with(ObserverKind observer, double averaging = 0.25) {
  LayerConfig config;
  config.activation.observer = observer;
  config.activation.averaging = averaging;
  return config;
}

TEST(QuantizerStates, GoFromStateToStateAndNeedABatchBeforeIntegers) {
  QATLinear layer(4, 3);
  layer->configure(LayerConfig(), "encoder.fc1", 0);
  EXPECT_EQ(layer->state(), QuantizerState::kFloat);
  layer(batch(-1, 1));  // float: nothing is recorded
  for (const auto& [state, name] :
       {std::pair(QuantizerState::kQuantizing, "quantizing"), std::pair(QuantizerState::kFrozen, "frozen")}) {
    EXPECT_EQ(error_of([&, to = state] { layer->set_state(to); }),
              std::string("[qat] encoder.fc1: expected at least one observed batch before ") + name +
                  ", got none; run the model in training mode while it observes");
    EXPECT_EQ(layer->state(), QuantizerState::kFloat);
  }
  layer->set_state(QuantizerState::kObserving);
  layer(batch(-1, 1));
  for (const QuantizerState state :
       {QuantizerState::kQuantizing, QuantizerState::kFrozen, QuantizerState::kObserving,
        QuantizerState::kFloat, QuantizerState::kFrozen}) {
    layer->set_state(state);
    EXPECT_EQ(layer->state(), state);
  }
}

TEST(QuantizerStates, HaveNames) {
  EXPECT_STREQ(state_name(QuantizerState::kFloat), "float");
  EXPECT_STREQ(state_name(QuantizerState::kObserving), "observing");
  EXPECT_STREQ(state_name(QuantizerState::kQuantizing), "quantizing");
  EXPECT_STREQ(state_name(QuantizerState::kFrozen), "frozen");
}

TEST(MinMaxObserver, KeepsTheWidestRangeOfAllBatches) {
  QATLinear layer = observing_linear(config_with(ObserverKind::kMinMax));
  layer(batch(-1, 2));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 2));
  layer(batch(-3, 1));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-3, 2));
  layer(batch(-0.5f, 0.5f));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-3, 2));
}

TEST(MovingAverageObserver, StartsAtTheFirstBatchAndMovesTowardsEachOther) {
  QATLinear layer = observing_linear(config_with(ObserverKind::kMovingAverage, 0.25));
  layer(batch(-1, 2));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 2));
  layer(batch(-3, 6));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1.5f, 3));  // -1 + (-3 + 1) / 4, 2 + (6 - 2) / 4
  layer(batch(-0.5f, 1));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1.25f, 2.5f));
}

TEST(Observers, UseTheRangeOfCodesAndSymmetryOfTheConfiguration) {
  LayerConfig config = config_with(ObserverKind::kMinMax);
  config.activation.bits = 4;
  config.activation.symmetric = true;
  QATLinear layer = observing_linear(config);
  layer(batch(-4, 14));
  EXPECT_EQ(layer->input().affine_grid(), (kernels::AffineGrid{2.0f, 0, -8, 7}));
}

TEST(Observers, RecordInTrainingModeOnlyUnlessCalibrating) {
  QATLinear layer = observing_linear();
  layer->eval();
  layer(batch(-1, 2));
  EXPECT_FALSE(layer->input().has_observed());
  layer->input().set_calibrating(true);
  layer(batch(-1, 2));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 2));
  layer->input().set_calibrating(false);
  layer(batch(-9, 9));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 2));
}

TEST(Observers, MoveWhileQuantizingAndStopWhenFrozen) {
  QATLinear layer = observing_linear(config_with(ObserverKind::kMinMax));
  layer(batch(-1, 2));
  layer->set_state(QuantizerState::kQuantizing);
  layer(batch(-1, 4));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 4));
  layer->set_state(QuantizerState::kFrozen);
  layer(batch(-8, 8));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 4));
}

TEST(Observers, QuantizeEachBatchOnTheGridOfTheBatchesBefore) {
  QATLinear layer = observing_linear(config_with(ObserverKind::kMovingAverage, 0.25));
  layer(batch(-1, 2));
  layer->set_state(QuantizerState::kQuantizing);
  const auto y_on = [&](const Tensor& x, const kernels::AffineGrid& grid) {
    const ops::ActivationGrid x_grid{torch::full({1}, grid.scale),
                                     torch::full({1}, grid.zero_point, torch::kInt), grid.qmin, grid.qmax};
    return ops::linear(x, layer->weight, layer->bias, x_grid, layer->weight_grid()).y;
  };
  EXPECT_TRUE(same_bits(layer(batch(-3, 6)), y_on(batch(-3, 6), grid_of(-1, 2))));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1.5f, 3));
  EXPECT_TRUE(same_bits(layer(batch(-0.5f, 1)), y_on(batch(-0.5f, 1), grid_of(-1.5f, 3))));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1.25f, 2.5f));
  EXPECT_EQ(layer(torch::empty({0, 4})).numel(), 0);  // a batch of nothing moves nothing
  EXPECT_EQ(layer->input().affine_grid(), grid_of(-1.25f, 2.5f));
}

TEST(Observers, SeeTheInputBehindTheLayersOwnRelu) {
  QATLinear layer(QATLinearOptions(4, 3).relu_input(true));
  layer->configure(config_with(ObserverKind::kMinMax), "fc1", 0);
  layer->set_state(QuantizerState::kObserving);
  layer(batch(-5, 2));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(0, 2));
  layer->set_state(QuantizerState::kQuantizing);
  layer(batch(-9, 4));
  EXPECT_EQ(layer->input().affine_grid(), grid_of(0, 4));
}

TEST(Observers, TurnToQuantizingAtTheLastOfTheObserveSteps) {
  QATLinear layer = observing_linear(LayerConfig(), /*observe_steps=*/3);
  layer(torch::empty({0, 4}));  // a batch of nothing is no step
  layer->eval();
  layer(batch(-1, 1));
  layer->train();
  for (int step = 0; step < 2; ++step) layer(batch(-1, 1));
  EXPECT_EQ(layer->state(), QuantizerState::kObserving);
  layer(batch(-1, 1));
  EXPECT_EQ(layer->state(), QuantizerState::kQuantizing);
}

TEST(Observers, NeverEndByThemselvesWithoutObserveSteps) {
  QATLinear layer = observing_linear();
  for (int step = 0; step < 300; ++step) layer(batch(-1, 1));
  EXPECT_EQ(layer->state(), QuantizerState::kObserving);
}

TEST(Observers, ForgetTheirRangeWhenConfiguredAnew) {
  QATLinear layer = observing_linear();
  layer(batch(-1, 1));
  layer->configure(LayerConfig(), "fc1", 0);
  EXPECT_EQ(layer->state(), QuantizerState::kFloat);
  EXPECT_FALSE(layer->input().has_observed());
}

/// What a layer named "fc1" says about an input in a state; the weight is finite.
struct InputCase {
  float value;
  QuantizerState state;
  bool training;
  std::string expected;
};
TEST(QATLayers, NameThemselvesWhenTheInputIsNotFinite) {
  const std::string nan =
      "[qat] fc1: expected numbers at the input, got NaN; look at the batch, the layer before and "
      "the learning rate";
  const std::string infinity =
      "[qat] fc1: expected finite values at the input, got infinity; look at the batch and the learning rate";
  const InputCase cases[] = {
      {kNaN, QuantizerState::kFloat, true, "no error"},
      {kNaN, QuantizerState::kObserving, true, nan},
      {kNaN, QuantizerState::kObserving, false, "no error"},
      {kNaN, QuantizerState::kQuantizing, true, nan},
      {kNaN, QuantizerState::kQuantizing, false, nan},
      {kNaN, QuantizerState::kFrozen, true, nan},
      {kNaN, QuantizerState::kFrozen, false, nan},
      {kInfinity, QuantizerState::kObserving, true, infinity},
      {-kInfinity, QuantizerState::kQuantizing, true, infinity},
      {kInfinity, QuantizerState::kFrozen, true, "no error"},  // saturates
  };
  for (const InputCase& c : cases) {
    SCOPED_TRACE(c10::str(c.value, ", ", state_name(c.state), c.training ? ", training" : ", eval"));
    QATLinear layer = observing_linear();
    layer(batch(-1, 1));
    layer->set_state(c.state);
    layer->train(c.training);
    Tensor x = batch(-1, 1);
    x[0][2] = c.value;
    EXPECT_EQ(error_of([&] { layer(x); }), c.expected);
    EXPECT_EQ(layer->input().affine_grid(), grid_of(-1, 1));  // the range is as before
  }
}

TEST(QATLayers, CarryTheirStateAndGridThroughSaveAndLoad) {
  torch::manual_seed(7);
  QATLinear layer = observing_linear();
  layer(batch(-3, 2));
  layer->set_state(QuantizerState::kFrozen);
  std::stringstream file;
  torch::save(layer, file);

  QATLinear loaded(4, 3);
  loaded->configure(LayerConfig(), "fc1", 0);
  torch::load(loaded, file);
  EXPECT_EQ(loaded->state(), QuantizerState::kFrozen);
  EXPECT_TRUE(loaded->input().has_observed());
  EXPECT_EQ(loaded->input().affine_grid(), grid_of(-3, 2));
  const Tensor x = torch::randn({5, 4});
  EXPECT_TRUE(same_bits(loaded(x), layer(x)));
}

TEST(QATLayers, RefuseACheckpointOfAnotherScheme) {
  LayerConfig four;
  four.weight.bits = four.activation.bits = 4;
  QATLinear layer = observing_linear(four);
  layer(batch(-3, 2));
  layer->set_state(QuantizerState::kFrozen);
  std::stringstream file;
  torch::save(layer, file);
  const std::string got =
      ", got a checkpoint of int4 per channel, input int4 affine; prepare the model with the configuration "
      "that "
      "it was trained with before loading";

  QATLinear never_prepared(4, 3), of_eight_bits(4, 3), skipped(4, 3);
  of_eight_bits->configure(LayerConfig(), "fc1", 0);
  skipped->configure(four, "fc2", 0);
  skipped->skip();
  const struct {
    QATLinear layer;
    std::string expected;
  } kCases[] = {
      {never_prepared,
       "[load] QATLinear: expected the scheme of this layer, int8 per channel, input int8 affine"},
      {of_eight_bits, "[load] fc1: expected the scheme of this layer, int8 per channel, input int8 affine"},
      {skipped, "[load] fc2: expected the scheme of this layer, float"},
  };
  for (const auto& c : kCases) {
    const Tensor before = c.layer->weight.detach().clone();
    QATLinear loaded = c.layer;
    std::stringstream again(file.str());
    EXPECT_EQ(error_of([&] { torch::load(loaded, again); }), c.expected + got);
    EXPECT_TRUE(same_bits(loaded->weight, before));
    EXPECT_EQ(loaded->state(), QuantizerState::kFloat);
  }
}

TEST(QATLayers, LoadAFloatCheckpointWhateverTheirScheme) {
  QATLinear layer(4, 3), loaded(4, 3);
  std::stringstream file;
  torch::save(layer, file);
  LayerConfig four;
  four.weight.bits = four.activation.bits = 4;
  loaded->configure(four, "fc1", 0);
  torch::load(loaded, file);
  EXPECT_TRUE(same_bits(loaded->weight, layer->weight));
}

}  // namespace
}  // namespace samebits
