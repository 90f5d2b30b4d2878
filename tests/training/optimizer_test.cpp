// training/loop/optimizer.h: the learning rate of every step, and that a loaded state goes on bit for bit.
#include "training/loop/optimizer.h"

#include "tests/training/training_test.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/quantizer/learned_grid.h"

namespace samebits::training {
namespace {

struct RateCase {
  const char* why;
  ScheduleConfig schedule;
  std::int64_t step, steps;
  double lr;  // of 0.8
};

const RateCase kRates[] = {
    {"the first warm-up step is not 0", {"cosine", 4}, 0, 12, 0.2},
    {"the warm-up is linear", {"cosine", 4}, 2, 12, 0.6},
    {"its last step reaches lr", {"cosine", 4}, 3, 12, 0.8},
    {"the cosine begins at lr", {"cosine", 4}, 4, 12, 0.8},
    {"a quarter of the way: (1 + cos 45°) / 2", {"cosine", 4}, 6, 12, 0.682842712474619},
    {"half way: a half", {"cosine", 4}, 8, 12, 0.4},
    {"three quarters: (1 - cos 45°) / 2", {"cosine", 4}, 10, 12, 0.117157287525381},
    {"the last step is above 0", {"cosine", 4}, 11, 12, 0.0304481869954853},
    {"without warm-up the first step has lr", {"cosine", 0}, 0, 8, 0.8},
    {"a single step", {"cosine", 0}, 0, 1, 0.8},
    {"a warm-up longer than the phase", {"cosine", 20}, 9, 10, 0.4},
    {"constant after its warm-up", {"constant", 2}, 0, 10, 0.4},
    {"constant to the end", {"constant", 2}, 9, 10, 0.8},
};

TEST(LearningRate, FollowsTheSchedule) {
  const OptimizerConfig optimizer{.lr = 0.8};
  for (const RateCase& c : kRates)
    EXPECT_NEAR(learning_rate(optimizer, c.schedule, c.step, c.steps), c.lr, 1e-14) << c.why;
}

const OptimizerConfig kOptimizers[] = {
    {.name = "adamw", .lr = 0.1, .weight_decay = 0.01, .beta1 = 0.8, .beta2 = 0.95},
    {.name = "sgd", .lr = 0.1, .weight_decay = 0.01, .momentum = 0.9},
    {.name = "sgd", .lr = 0.1, .momentum = 0.0},
};

/// One step on gradients that depend on `step` alone.
void train_step(torch::optim::Optimizer& optimizer, torch::nn::Module& module, int step) {
  for (const auto& parameter : module.parameters()) {
    const torch::Tensor ramp = torch::arange(parameter.numel(), torch::kFloat).reshape(parameter.sizes());
    parameter.mutable_grad() = torch::sin(ramp * (step + 1));
  }
  optimizer.step();
}

void copy_parameters(torch::nn::Module& from, torch::nn::Module& to) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from.parameters().size(); ++i) to.parameters()[i].copy_(from.parameters()[i]);
}

void expect_same_parameters(torch::nn::Module& a, torch::nn::Module& b) {
  for (std::size_t i = 0; i < a.parameters().size(); ++i)
    EXPECT_TRUE(same_bits(a.parameters()[i], b.parameters()[i])) << a.named_parameters()[i].key();
}

TEST(OptimizerState, GoesOnBitForBit) {
  for (const OptimizerConfig& config : kOptimizers) {
    SCOPED_TRACE(config.name);
    torch::nn::Linear trained(3, 2), resumed(3, 2);
    const auto optimizer = make_optimizer(config, *trained);
    for (int step = 0; step < 3; ++step) train_step(*optimizer, *trained, step);

    copy_parameters(*trained, *resumed);
    const auto loaded = make_optimizer(config, *resumed);
    load_optimizer_state(*loaded, *resumed, optimizer_state(*optimizer, *trained), {"a"});
    for (int step = 3; step < 6; ++step) {
      train_step(*optimizer, *trained, step);
      train_step(*loaded, *resumed, step);
      expect_same_parameters(*trained, *resumed);
    }
  }
}

TEST(OptimizerState, MakesADifference) {  // or the test above would prove nothing
  for (const OptimizerConfig& config : {kOptimizers[0], kOptimizers[1]}) {
    torch::nn::Linear trained(3, 2), restarted(3, 2);
    const auto optimizer = make_optimizer(config, *trained);
    for (int step = 0; step < 3; ++step) train_step(*optimizer, *trained, step);
    copy_parameters(*trained, *restarted);
    const auto fresh = make_optimizer(config, *restarted);
    train_step(*optimizer, *trained, 3);
    train_step(*fresh, *restarted, 3);
    EXPECT_FALSE(same_bits(trained->weight, restarted->weight)) << config.name;
  }
}

std::vector<std::string> names_of(const std::map<std::string, torch::Tensor>& state) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state) names.push_back(name);
  return names;
}

TEST(OptimizerState, IsNamedByParameter) {
  const std::vector<std::string> expected[] = {
      {"bias.exp_avg", "bias.exp_avg_sq", "bias.step", "weight.exp_avg", "weight.exp_avg_sq", "weight.step"},
      {"bias.momentum_buffer", "weight.momentum_buffer"},
      {},
  };
  for (std::size_t i = 0; i < std::size(kOptimizers); ++i) {
    torch::nn::Linear linear(3, 2);
    const auto optimizer = make_optimizer(kOptimizers[i], *linear);
    EXPECT_THAT(names_of(optimizer_state(*optimizer, *linear)), testing::IsEmpty());
    train_step(*optimizer, *linear, 0);
    EXPECT_EQ(names_of(optimizer_state(*optimizer, *linear)), expected[i]);
  }
}

TEST(OptimizerState, IsACopyOnceLoaded) {
  torch::nn::Linear linear(3, 2);
  const auto optimizer = make_optimizer(kOptimizers[1], *linear);
  train_step(*optimizer, *linear, 0);
  auto state = optimizer_state(*optimizer, *linear);
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  const auto loaded = make_optimizer(kOptimizers[1], *linear);
  load_optimizer_state(*loaded, *linear, state, {"a"});
  state["weight.momentum_buffer"].zero_();
  EXPECT_TRUE(same_bits(optimizer_state(*loaded, *linear)["weight.momentum_buffer"],
                        optimizer_state(*optimizer, *linear)["weight.momentum_buffer"]));
}

TEST(OptimizerState, NamesWhatDoesNotFit) {
  const auto adam_state = [] {
    torch::nn::Linear linear(3, 2);
    const auto optimizer = make_optimizer(kOptimizers[0], *linear);
    train_step(*optimizer, *linear, 0);
    return optimizer_state(*optimizer, *linear);
  };
  const auto error = [](const OptimizerConfig& config, const std::map<std::string, torch::Tensor>& state) {
    torch::nn::Linear linear(3, 2);
    const auto optimizer = make_optimizer(config, *linear);
    return error_of([&] { load_optimizer_state(*optimizer, *linear, state, {"runs/a.safetensors"}); });
  };
  const std::string head = "[checkpoint] runs/a.safetensors: optimizer.";
  const std::string tail = "; is it of another configuration?";
  auto missing = adam_state(), other_shape = adam_state(), other_type = adam_state();
  missing.erase("bias.exp_avg_sq");
  other_shape["weight.exp_avg"] = torch::zeros({2, 4});
  other_type["weight.step"] = torch::tensor(1.0f);
  EXPECT_EQ(error(kOptimizers[0], missing), head + "bias.exp_avg_sq: expected Float [2], got none" + tail);
  EXPECT_EQ(error(kOptimizers[0], other_shape),
            head + "weight.exp_avg: expected Float [2, 3], got Float [2, 4]" + tail);
  EXPECT_EQ(error(kOptimizers[0], other_type), head + "weight.step: expected Long [], got Float []" + tail);
  EXPECT_EQ(error(kOptimizers[1], adam_state()),
            head + "weight.momentum_buffer: expected Float [2, 3], got none" + tail);
}

/// A layer whose scales are trained, quantizing.
QATLinear lsq_linear() {
  LayerConfig config;
  config.estimator = EstimatorKind::kLsq;
  QATLinear layer(4, 3);
  layer->configure(config, "fc", 0);
  layer->set_state(QuantizerState::kObserving);
  layer->forward(torch::randn({5, 4}));
  layer->set_state(QuantizerState::kQuantizing);
  return layer;
}

TEST(MakeOptimizer, HasTrainedScalesInAGroupWithoutWeightDecay) {
  for (const OptimizerConfig& config : {kOptimizers[0], kOptimizers[1]}) {
    SCOPED_TRACE(config.name);
    QATLinear layer = lsq_linear();
    const auto optimizer = make_optimizer(config, *layer);
    ASSERT_EQ(optimizer->param_groups().size(), 2u);
    EXPECT_EQ(optimizer->param_groups()[0].params().size(), 2u);  // weight, bias
    EXPECT_EQ(optimizer->param_groups()[1].params().size(), 2u);  // of the weight, of the input
    set_learning_rate(*optimizer, 0.5, /*scale_factor=*/0.1);
    EXPECT_EQ(optimizer->param_groups()[0].options().get_lr(), 0.5);
    EXPECT_NEAR(optimizer->param_groups()[1].options().get_lr(), 0.05, 1e-15);
    for (const torch::Tensor& each : layer->parameters()) each.mutable_grad() = torch::zeros_like(each);
    const torch::Tensor weight = layer->weight.detach().clone();
    const torch::Tensor scale = grid_parameters(*layer)[0].detach().clone();
    optimizer->step();
    EXPECT_FALSE(same_bits(layer->weight, weight));  // decayed
    EXPECT_TRUE(same_bits(grid_parameters(*layer)[0], scale));
  }
}

TEST(MakeOptimizer, HasOneGroupWithoutTrainedScales) {
  QATLinear layer(4, 3);
  EXPECT_EQ(make_optimizer(kOptimizers[0], *layer)->param_groups().size(), 1u);
}

TEST(OptimizerState, GoesOnBitForBitWhereTrainedScalesHaveNotSteppedYet) {
  for (const OptimizerConfig& config : {kOptimizers[0], kOptimizers[1]}) {
    SCOPED_TRACE(config.name);
    QATLinear straight = lsq_linear(), loaded = lsq_linear();
    const auto optimizer = make_optimizer(config, *straight);
    for (const torch::Tensor& each : {straight->weight, straight->bias})
      each.mutable_grad() = torch::ones_like(each);
    optimizer->step();  // as while the layer observes
    auto state = optimizer_state(*optimizer, *straight);
    for (auto& [name, tensor] : state) tensor = tensor.clone();
    copy_parameters(*straight, *loaded);
    const auto other = make_optimizer(config, *loaded);
    load_optimizer_state(*other, *loaded, state, {"a"});
    for (int step = 1; step < 4; ++step) {
      train_step(*optimizer, *straight, step);
      train_step(*other, *loaded, step);
    }
    expect_same_parameters(*straight, *loaded);
    auto damaged = optimizer_state(*optimizer, *straight);
    const std::string part = config.name == "adamw" ? ".exp_avg" : ".momentum_buffer";
    damaged["weight_grid.log_scale" + part] = torch::zeros({7});
    EXPECT_EQ(error_of([&] { load_optimizer_state(*other, *loaded, damaged, {"runs/a.safetensors"}); }),
              "[checkpoint] runs/a.safetensors: optimizer.weight_grid.log_scale" + part +
                  ": expected Float [3], got Float [7]; is it of another configuration?");
  }
}

TEST(SetLearningRate, ReachesTheNextStep) {
  torch::nn::Linear linear(3, 2);
  const torch::Tensor before = linear->weight.detach().clone();
  const auto optimizer = make_optimizer(kOptimizers[2], *linear);
  set_learning_rate(*optimizer, 0.5, /*scale_factor=*/1);
  train_step(*optimizer, *linear, 0);
  EXPECT_TRUE(torch::allclose(linear->weight, before - 0.5 * linear->weight.grad()));
}

}  // namespace
}  // namespace samebits::training
