// Layers whose grids are trained: their gradients against ATen's double products and LSQ in plain loops,
// their bits in training, in eval mode and as a package, how they begin, what is saved, and what they are
// good for.
#include <cmath>

#include "quant/least_error_grids.h"
#include "runtime/interpreter.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;

class LearnedScales : public ModelTest {};

constexpr EstimatorKind kKinds[] = {EstimatorKind::kSte,  EstimatorKind::kLsq,    EstimatorKind::kLsqPlus,
                                    EstimatorKind::kPact, EstimatorKind::kDorefa, EstimatorKind::kEwgs};

LayerConfig config_of(EstimatorKind kind, int bits = 4) {
  LayerConfig config;
  config.estimator = kind;
  config.weight.bits = config.activation.bits = bits;
  return config;
}

/// The schemes of a weight: of a linear layer, and without the last of a convolution.
std::vector<WeightConfig> weight_schemes() {
  WeightConfig channel, tensor, affine, group;
  channel.bits = tensor.bits = affine.bits = group.bits = 4;
  tensor.granularity = Granularity::kPerTensor;
  affine.symmetric = false;
  group.granularity = Granularity::kPerGroup;
  group.group_size = 32;
  return {channel, tensor, affine, group};
}

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor plain = tensor.detach().to(torch::kDouble).contiguous();
  return {plain.const_data_ptr<double>(), plain.const_data_ptr<double>() + plain.numel()};
}

/// A tensor, its grids and the gradient of its reals: what LSQ makes of them, element by element. The
/// gradient of a scale is given for its logarithm, that of a zero point for its part of the range of codes.
struct LsqLoop {
  std::vector<double> values, grad, scale, zero_point;
  double qmin, qmax;
  std::int64_t row_length, group_size;
  bool is_one;

  std::size_t grid_of(std::size_t i) const {
    if (is_one) return 0;
    const auto at = static_cast<std::int64_t>(i);
    if (group_size == 0) return static_cast<std::size_t>(at / row_length);
    return static_cast<std::size_t>(at / row_length * ((row_length + group_size - 1) / group_size) +
                                    at % row_length / group_size);
  }
  struct Gradients {
    std::vector<double> values, log_scale, offset;
  };
  Gradients gradients() const {
    Gradients out{{}, std::vector<double>(scale.size()), std::vector<double>(scale.size())};
    std::vector<double> counts(scale.size());
    for (std::size_t i = 0; i < values.size(); ++i) ++counts[grid_of(i)];
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t grid = grid_of(i);
      const double s = scale[grid], v = values[i] / s, factor = 1 / std::sqrt(counts[grid] * qmax);
      const double low = qmin - zero_point[grid], high = qmax - zero_point[grid];
      const bool is_low = std::nearbyint(v)<low, is_high = std::nearbyint(v)> high;
      const double slope = is_low ? low : is_high ? high : std::nearbyint(v) - v;
      out.values.push_back(is_low || is_high ? 0 : grad[i]);
      out.log_scale[grid] += grad[i] * slope * factor * s;
      if (is_low || is_high) out.offset[grid] -= grad[i] * s * factor * (qmax - qmin);
    }
    return out;
  }
};

void expect_near(const Tensor& got, const std::vector<double>& expected, const char* what) {
  ASSERT_TRUE(got.defined()) << what;
  const std::vector<double> values = doubles(got);
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], expected[i], 1e-4 * (1 + std::abs(expected[i]))) << what << " " << i;
}

/// Quantizing, after one observed batch, with a weight that has moved since, so that something clips.
template <class Layer>
void begin(Layer& layer, const LayerConfig& config, const Tensor& x) {
  layer->configure(config, "layer", 0);
  layer->set_state(QuantizerState::kObserving);
  layer->forward(0.6 * x);
  layer->set_state(QuantizerState::kQuantizing);
  const torch::NoGradGuard no_grad;
  layer->weight.mul_(1.5);
}

std::vector<double> zero_points(const quant::QuantizedTensor& weight) {
  if (weight.zero_point.empty()) return std::vector<double>(weight.scale.size());
  return {weight.zero_point.begin(), weight.zero_point.end()};
}

/// Holds the gradients of a layer to `product`, ATen's in double, of the reals of x and weight.
template <class Layer, class Product>
void check_gradients(Layer& layer, const Tensor& x, const Product& product) {
  const LayerConfig& config = layer->config();
  const Tensor input = x.clone().requires_grad_();
  const quant::QuantizedTensor weight = layer->quantized_weight();
  const kernels::AffineGrid grid = layer->input().affine_grid();
  const Tensor y = layer->forward(input);
  const Tensor grad_y = torch::randn_like(y);
  (y * grad_y).sum().backward();

  std::vector<float> reals(weight.codes.size());
  quant::decode(weight, reals.data());
  const Tensor w64 = torch::tensor(reals).view(layer->weight.sizes()).to(torch::kDouble).requires_grad_();
  const double scale = grid.scale, zero = grid.zero_point;
  const Tensor x64 =
      (torch::clamp((x.to(torch::kDouble) / scale).round() + zero, grid.qmin, grid.qmax) - zero)
          .mul(scale)
          .requires_grad_();
  (product(x64, w64, layer->bias.to(torch::kDouble)) * grad_y.to(torch::kDouble)).sum().backward();

  const LsqLoop weight_loop{doubles(layer->weight),
                            doubles(w64.grad()),
                            {weight.scale.begin(), weight.scale.end()},
                            zero_points(weight),
                            static_cast<double>(config.weight.weight_qmin()),
                            static_cast<double>(config.weight.qmax()),
                            layer->depth(),
                            config.weight.group_size,
                            config.weight.granularity == Granularity::kPerTensor};
  const LsqLoop input_loop{doubles(x),
                           doubles(x64.grad()),
                           {scale},
                           {zero},
                           static_cast<double>(grid.qmin),
                           static_cast<double>(grid.qmax),
                           x.numel(),
                           0,
                           true};
  const LsqLoop::Gradients of_weight = weight_loop.gradients(), of_input = input_loop.gradients();
  const auto parameters = layer->named_parameters();
  expect_near(layer->weight.grad(), of_weight.values, "weight");
  expect_near(input.grad(), of_input.values, "x");
  expect_near(parameters["weight_grid.log_scale"].grad(), of_weight.log_scale, "weight scale");
  expect_near(parameters["input.grid.log_scale"].grad(), of_input.log_scale, "input scale");
  const bool is_plus = config.estimator == EstimatorKind::kLsqPlus;
  if (is_plus) expect_near(parameters["input.grid.offset"].grad(), of_input.offset, "input zero point");
  if (is_plus && !config.weight.symmetric)
    expect_near(parameters["weight_grid.offset"].grad(), of_weight.offset, "weight zero point");
  EXPECT_EQ(parameters.contains("weight_grid.offset"), is_plus && !config.weight.symmetric);
  EXPECT_EQ(parameters.contains("input.grid.offset"), is_plus);
}

TEST_F(LearnedScales, OfALinearLayerHaveTheGradientsOfLsqForEveryGranularity) {
  for (const EstimatorKind kind : {EstimatorKind::kLsq, EstimatorKind::kLsqPlus})
    for (const WeightConfig& weight : weight_schemes()) {
      LayerConfig config = config_of(kind);
      config.weight = weight;
      SCOPED_TRACE(scheme_text(config));
      QATLinear layer(70, 9);
      const Tensor x = torch::randn({12, 70});
      begin(layer, config, x);
      check_gradients(layer, x, [](const Tensor& a, const Tensor& w, const Tensor& b) {
        return torch::nn::functional::linear(a, w, b);
      });
    }
}

TEST_F(LearnedScales, OfAConvolutionHaveTheGradientsOfLsq) {
  for (const WeightConfig& weight : weight_schemes()) {
    if (weight.group_size > 0) continue;
    LayerConfig config = config_of(EstimatorKind::kLsqPlus);
    config.weight = weight;
    SCOPED_TRACE(scheme_text(config));
    QATConv2d layer(QATConv2dOptions(4, 6, 3).padding(1).stride(2).groups(2));
    const Tensor x = torch::randn({3, 4, 9, 9});
    begin(layer, config, x);
    check_gradients(layer, x, [](const Tensor& a, const Tensor& w, const Tensor& b) {
      return torch::conv2d(a, w, b, 2, 1, 1, 2);
    });
  }
}

/// A model trained some steps with one estimator, in every state.
template <class Model>
Prepared trained(Model& model, EstimatorKind kind, std::vector<std::int64_t> shape, int steps = 6) {
  QConfig config;
  config.defaults = config_of(kind);
  Prepared prepared = prepare(model, config, torch::randn(shape), /*observe_steps=*/2);
  shape[0] = 16;
  torch::optim::Adam optimizer(model.parameters(), 1e-2);
  model.train();
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    model.forward(torch::randn(shape)).square().mean().backward();
    optimizer.step();
  }
  return prepared;
}

TEST_F(LearnedScales, ComputeInTrainingAndInEvalModeAndAsAPackageTheSameBits) {
  for (const EstimatorKind kind : kKinds) {
    SCOPED_TRACE(estimator_name(kind));
    Cnn model;
    const Prepared prepared = trained(model, kind, {2, 2, 8, 8});
    model.dropout->eval();
    const Tensor x = torch::randn({5, 2, 8, 8});
    for (const auto& layer : prepared.layers()) layer->set_state(QuantizerState::kFrozen);
    const Tensor with_gradients = model.forward(x);
    EXPECT_TRUE(with_gradients.requires_grad());
    model.eval();
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(same_bits(model.forward(x), with_gradients));
    const QuantizedModel quantized = convert(model, x);
    quantized.save(folder_ / "model.samebits");
    const VerifyReport report = verify(model, folder_ / "model.samebits", {x, torch::randn({3, 2, 8, 8})});
    EXPECT_EQ(report.differing, 0);
  }
}

TEST_F(LearnedScales, BeginWithTheWeightsLeastErrorAndTheObservedRange) {
  QATLinear layer(70, 9);
  const LayerConfig config = config_of(EstimatorKind::kLsq, 3);
  layer->configure(config, "fc", 2);
  layer->set_state(QuantizerState::kObserving);
  layer->forward(torch::randn({12, 70}));
  EXPECT_EQ(layer->state(), QuantizerState::kObserving);
  {
    const torch::NoGradGuard no_grad;
    layer->weight.mul_(3);  // training moves it while the layer observes
  }
  layer->forward(torch::randn({12, 70}));
  ASSERT_EQ(layer->state(), QuantizerState::kQuantizing);
  const quant::Grids expected = quant::least_error_grids(layer->weight.const_data_ptr<float>(), 9, 70,
                                                         layer->quantizer().weight_encoding());
  const auto parameters = layer->named_parameters();
  const std::vector<double> logs = doubles(parameters["weight_grid.log_scale"]);
  for (std::size_t i = 0; i < logs.size(); ++i)
    EXPECT_NEAR(logs[i], std::log(double{expected.scale[i]}), 1e-6);
  const auto buffers = layer->input().named_buffers();
  EXPECT_NEAR(parameters["input.grid.log_scale"].item<double>(), std::log(buffers["scale"].item<double>()),
              1e-6);
  EXPECT_EQ(layer->input().affine_grid().zero_point, buffers["zero_point"].item<int>());
}

TEST_F(LearnedScales, StayPositiveWhateverAnOptimizerDoes) {
  QATLinear layer(8, 4);
  const Tensor x = torch::randn({3, 8});
  begin(layer, config_of(EstimatorKind::kLsq), x);
  for (const float log : {-1e30f, 1e30f}) {
    {
      const torch::NoGradGuard no_grad;
      for (const Tensor& each : grid_parameters(*layer)) each.fill_(log);
    }
    EXPECT_GT(layer->input().affine_grid().scale, 0x1p-126f);
    EXPECT_TRUE(layer->forward(x).isfinite().all().item<bool>());
  }
}

TEST_F(LearnedScales, OfAFrozenInputStay) {
  Mlp model;
  const Prepared prepared = trained(model, EstimatorKind::kLsqPlus, {2, 12});
  for (const auto& layer : prepared.layers()) layer->set_state(QuantizerState::kFrozen);
  for (Tensor& each : model.parameters()) each.mutable_grad() = Tensor();
  model.forward(torch::randn({4, 12})).sum().backward();
  const auto parameters = model.named_parameters();
  EXPECT_FALSE(parameters["fc1.input.grid.log_scale"].grad().defined());
  EXPECT_FALSE(parameters["fc1.input.grid.offset"].grad().defined());
  EXPECT_TRUE(parameters["fc1.weight_grid.log_scale"].grad().defined());
}

TEST_F(LearnedScales, AreSavedLoadedAndCloned) {
  for (const EstimatorKind kind : kKinds) {
    SCOPED_TRACE(estimator_name(kind));
    auto model = std::make_shared<Mlp>();
    const Prepared prepared = trained(*model, kind, {2, 12});
    model->eval();
    const Tensor x = torch::randn({5, 12});
    const Tensor expected = model->forward(x);
    torch::save(model, (folder_ / "model.pt").string());
    auto loaded = std::make_shared<Mlp>();
    QConfig config;
    config.defaults = config_of(kind);
    const Prepared other = prepare(*loaded, config, torch::randn({2, 12}), 2);
    torch::load(loaded, (folder_ / "model.pt").string());
    loaded->eval();
    EXPECT_TRUE(same_bits(loaded->forward(x), expected));
    const auto copy = std::dynamic_pointer_cast<QATLinearImpl>(model->fc1->clone());
    EXPECT_TRUE(same_bits(copy->forward(x), model->fc1->forward(x)));
    for (const auto& each : copy->named_parameters())
      EXPECT_FALSE(each.value().is_same(model->fc1->named_parameters()[each.key()])) << each.key();
  }
}

TEST_F(LearnedScales, OfAnotherEstimatorAreNotLoaded) {
  auto model = std::make_shared<Mlp>(), other = std::make_shared<Mlp>();
  const Prepared prepared = trained(*model, EstimatorKind::kLsq, {2, 12});
  const Prepared plain = trained(*other, EstimatorKind::kSte, {2, 12});
  torch::save(model, (folder_ / "model.pt").string());
  EXPECT_EQ(error_of([&] { torch::load(other, (folder_ / "model.pt").string()); }),
            "[load] fc1: expected the scheme of this layer, int4 per channel, input int4 affine, got a "
            "checkpoint of "
            "int4 per channel, input int4 affine, lsq; prepare the model with the configuration that it was "
            "trained "
            "with before loading");
}

TEST_F(LearnedScales, AreAGroupOfTheirOwnForAnOptimizer) {
  Mlp model;
  const Prepared prepared = trained(model, EstimatorKind::kLsqPlus, {2, 12});
  std::vector<std::string> names;
  for (const Tensor& grid : grid_parameters(model))
    for (const auto& each : model.named_parameters())
      if (each.value().is_same(grid)) names.push_back(each.key());
  EXPECT_THAT(names, testing::UnorderedElementsAre("fc1.input.grid.log_scale", "fc1.input.grid.offset",
                                                   "fc1.weight_grid.log_scale", "fc2.input.grid.log_scale",
                                                   "fc2.input.grid.offset", "fc2.weight_grid.log_scale"));
  Mlp plain;
  const Prepared others = trained(plain, EstimatorKind::kSte, {2, 12});
  EXPECT_TRUE(grid_parameters(plain).empty());
  EXPECT_THAT(prepared.report(), testing::HasSubstr("converted (trained by lsq_plus)"));
}

TEST_F(LearnedScales, GoWhenALayerIsConfiguredWithoutThem) {
  QATLinear layer(8, 4);
  const Tensor x = torch::randn({3, 8});
  begin(layer, config_of(EstimatorKind::kLsq), x);
  EXPECT_EQ(layer->named_parameters().size(), 4u);
  begin(layer, config_of(EstimatorKind::kSte), x);
  EXPECT_EQ(layer->named_parameters().size(), 2u);
}

TEST_F(LearnedScales, NameTheLayerWhoseInputHoldsNaNInTrainingToo) {
  for (const EstimatorKind kind : {EstimatorKind::kSte, EstimatorKind::kLsq, EstimatorKind::kLsqPlus,
                                   EstimatorKind::kPact, EstimatorKind::kDorefa, EstimatorKind::kEwgs}) {
    QATLinear layer(8, 4);
    Tensor x = torch::randn({3, 8});
    begin(layer, config_of(kind), x);
    x[1][2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(
        error_of([&] { layer->forward(x.requires_grad_()).sum().backward(); }),
        "[qat] layer: expected numbers at the input, got NaN; look at the batch, the layer before and the "
        "learning rate")
        << estimator_name(kind);
  }
}

TEST_F(LearnedScales, NameTheLayerWhereNumbersGoWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const auto error = [&](const auto& spoil) {
    QATLinear layer(8, 4);
    Tensor x = torch::randn({3, 8});
    begin(layer, config_of(EstimatorKind::kLsq), x);
    const torch::NoGradGuard no_grad;
    spoil(*layer, x);
    return error_of([&] { layer->forward(x); });
  };
  const std::string head = "[qat] layer: expected ";
  EXPECT_EQ(
      error([&](QATLinearImpl&, Tensor& x) { x[1][2] = nan; }),
      head + "numbers at the input, got NaN; look at the batch, the layer before and the learning rate");
  EXPECT_EQ(error([&](QATLinearImpl& layer, Tensor&) { layer.weight[1][2] = nan; }),
            head + "numbers in the weight, got NaN; look at the learning rate and the loss before this step");
  EXPECT_EQ(error([&](QATLinearImpl& layer, Tensor&) { layer.weight[1][2] = infinity; }),
            head + "finite values in the weight, got infinity; look at the learning rate");
  EXPECT_EQ(error([&](QATLinearImpl& layer, Tensor&) { grid_parameters(layer)[0].fill_(nan); }),
            head + "a number as the scale of its input, got NaN; lower qat.scale_lr, or the learning rate");
}

/// A regression on a teacher's outputs: float first, then QAT at 3 bits. The loss of the last epoch.
double loss_at_three_bits(EstimatorKind kind, std::int64_t seed) {
  torch::manual_seed(seed);
  torch::nn::Sequential teacher(torch::nn::Linear(12, 24), torch::nn::Tanh(), torch::nn::Linear(24, 3));
  Mlp model;
  const Tensor x = torch::randn({512, 12});
  const Tensor target = (3 * teacher->forward(x)).detach();
  QConfig config;
  config.defaults = config_of(kind, 3);
  const Prepared prepared = prepare(model, config, x.slice(0, 0, 2), /*observe_steps=*/200);
  model.train();
  torch::optim::Adam optimizer(model.parameters(), 5e-3);
  double sum = 0;
  for (int step = 0; step < 600; ++step) {
    const Tensor batch = x.slice(0, step % 8 * 64, (step % 8 + 1) * 64);
    optimizer.zero_grad();
    const Tensor loss =
        torch::mse_loss(model.forward(batch), target.slice(0, step % 8 * 64, (step % 8 + 1) * 64));
    loss.backward();
    optimizer.step();
    if (step >= 592) sum += loss.item<double>() / 8;
  }
  return sum;
}

TEST_F(LearnedScales, TrainToALowerLossAtThreeBitsThanRangesDo) {
  at::set_num_threads(1);
  for (const std::int64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    const double ranges = loss_at_three_bits(EstimatorKind::kSte, seed);
    const double lsq = loss_at_three_bits(EstimatorKind::kLsq, seed);
    const double lsq_plus = loss_at_three_bits(EstimatorKind::kLsqPlus, seed);
    EXPECT_LT(lsq, 0.8 * ranges);
    EXPECT_LT(lsq_plus, 0.8 * ranges);
  }
}

}  // namespace
}  // namespace samebits
