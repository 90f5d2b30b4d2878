// Layers whose input range comes from a histogram: the range is that of the rule on all values that were
// observed, it stays when quantizing begins, and it is saved.
#include "torch_ext/quantizer/histogram_observer.h"

#include "kernels/observe/histogram.h"
#include "quant/ptq/kl_range.h"
#include "tests/torch_ext/models.h"

namespace samebits {
namespace {

using torch::Tensor;

class HistogramObservers : public ModelTest {};

constexpr ObserverKind kKinds[] = {ObserverKind::kPercentile, ObserverKind::kLeastError, ObserverKind::kKl};

LayerConfig config_of(ObserverKind kind) {
  LayerConfig config;
  config.activation.observer = kind;
  config.activation.percentile = 0.99;
  config.activation.bits = 4;
  return config;
}

/// Many small values and few large ones.
Tensor batch() {
  Tensor x = torch::randn({64, 4});
  x[0][0] = 12;
  return x;
}

/// The range by the rule of all batches, counted one after the other.
kernels::HistogramRange expected_range(const std::vector<Tensor>& batches, ObserverKind kind) {
  kernels::Histogram histogram;
  for (const Tensor& x : batches) {
    const float* values = x.const_data_ptr<float>();
    histogram = kernels::widened(histogram, kernels::min_max(values, 0, x.numel()));
    kernels::count(values, 0, x.numel(), histogram, kernels::FloatType::kFloat32);
  }
  if (kind == ObserverKind::kPercentile) return kernels::percentile_range(histogram, 0.99);
  if (kind == ObserverKind::kKl) return quant::kl_range(histogram, -8, 7);
  const kernels::ClippingRange range = kernels::least_error_range(histogram, -8, 7, false);
  return {range.low, range.high};
}

kernels::AffineGrid grid_of(const kernels::HistogramRange& range) {
  const oracle::Grid grid = oracle::grid_of_range(range.low, range.high, -8, 7, false);
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

TEST_F(HistogramObservers, TakeTheRangeOfAllThatWasObservedAndKeepIt) {
  for (const ObserverKind kind : kKinds) {
    SCOPED_TRACE(static_cast<int>(kind));
    QATLinear layer = observing_linear(config_of(kind), /*observe_steps=*/3);
    std::vector<Tensor> batches;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(layer->state(), QuantizerState::kObserving);
      batches.push_back(batch());
      layer->forward(batches.back());
    }
    ASSERT_EQ(layer->state(), QuantizerState::kQuantizing);
    const kernels::AffineGrid expected = grid_of(expected_range(batches, kind));
    EXPECT_EQ(layer->input().affine_grid(), expected);
    if (kind == ObserverKind::kPercentile) {
      EXPECT_LT(expected.scale, 0.8f * (12 + 3) / 15);  // the outlier is clipped
    }
    layer->forward(5 * batch());
    EXPECT_EQ(layer->input().affine_grid(), expected);
  }
}

TEST_F(HistogramObservers, GiveALearnedScaleItsBeginning) {
  LayerConfig config = config_of(ObserverKind::kLeastError);
  config.estimator = EstimatorKind::kLsq;
  QATLinear layer = observing_linear(config);
  const Tensor x = batch();
  layer->forward(x);
  layer->set_state(QuantizerState::kQuantizing);
  const kernels::AffineGrid expected = grid_of(expected_range({x}, ObserverKind::kLeastError));
  EXPECT_NEAR(layer->input().affine_grid().scale, expected.scale, 1e-6f * expected.scale);
  EXPECT_EQ(layer->input().affine_grid().zero_point, expected.zero_point);
}

TEST_F(HistogramObservers, AreSavedInTheMiddleOfObserving) {
  const LayerConfig config = config_of(ObserverKind::kKl);
  QATLinear layer = observing_linear(config), loaded = observing_linear(config);
  layer->forward(batch());
  torch::save(layer, (folder_ / "layer.pt").string());
  torch::load(loaded, (folder_ / "layer.pt").string());
  const Tensor next = batch();
  for (QATLinear each : {layer, loaded}) {
    each->forward(next);
    each->set_state(QuantizerState::kQuantizing);
  }
  EXPECT_EQ(loaded->input().affine_grid(), layer->input().affine_grid());
}

TEST_F(HistogramObservers, BeginAnewWhenALayerIsConfigured) {
  const LayerConfig config = config_of(ObserverKind::kLeastError);
  QATLinear layer = observing_linear(config);
  layer->forward(100 * batch());
  layer->configure(config, "fc1", 0);
  layer->set_state(QuantizerState::kObserving);
  const Tensor x = batch();
  layer->forward(x);
  layer->set_state(QuantizerState::kFrozen);
  EXPECT_EQ(layer->input().affine_grid(), grid_of(expected_range({x}, ObserverKind::kLeastError)));
}

TEST_F(HistogramObservers, NameTheLayerOnAnInfinity) {
  QATLinear layer = observing_linear(config_of(ObserverKind::kPercentile));
  Tensor x = batch();
  x[3][1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_of([&] { layer->forward(x); }),
            "[qat] fc1: expected finite values at the input, got infinity; look at the batch and the "
            "learning rate");
}

}  // namespace
}  // namespace samebits
