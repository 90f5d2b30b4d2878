// What a training loop may do with the layers: accumulate gradients, compute a forward again for backward,
// change and load weights between forwards; and what a forward keeps in memory.
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <sstream>

#include "csrc/layers/workspace.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/modules/max_pool2d.h"

namespace samebits {
namespace {

using torch::Tensor;

/// x [n, 3, 9, 9] to [n, 5]: relus inside of layers, a pool, a backward mode.
struct Net : torch::nn::Module {
  QATConv2d conv1{QATConv2dOptions(3, 6, 3).padding(1)};
  QATConv2d conv2{QATConv2dOptions(6, 6, 3).groups(2).relu_input(true)};
  QATLinear fc1{QATLinearOptions(54, 33).relu_input(true)}, fc2{QATLinearOptions(33, 5).relu_input(true)};
  Net() {
    register_module("conv1", conv1);
    register_module("conv2", conv2);
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  Tensor features(const Tensor& x) { return samebits::max_pool2d(conv2(conv1(x)), 2); }
  Tensor classify(const Tensor& x) { return fc2(fc1(torch::flatten(x, 1))); }
  Tensor forward(const Tensor& x) { return classify(features(x)); }
};
const std::vector<std::int64_t> kShape = {1, 3, 9, 9};

QConfig config_of(BackwardMode backward) {
  QConfig config;
  config.defaults.backward = backward;
  return config;
}

class TrainingStep : public ModelTest {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    at::set_num_threads(1);
  }
};

std::vector<Tensor> taken_gradients(Net& net) {
  std::vector<Tensor> gradients;
  for (Tensor& parameter : net.parameters()) {
    gradients.push_back(parameter.grad().clone());
    parameter.mutable_grad() = Tensor();
  }
  return gradients;
}

TEST_F(TrainingStep, AccumulatesTheGradientsOfMicroBatchesAsTheirSum) {
  for (const BackwardMode backward : {BackwardMode::kFloat32, BackwardMode::kBfloat16}) {
    SCOPED_TRACE(static_cast<int>(backward));
    Net net;
    freeze(net, kShape, config_of(backward));
    const Tensor x = torch::randn({8, 3, 9, 9}), grad_y = torch::randn({8, 5});
    const auto step = [&](std::int64_t first, std::int64_t last) {
      const Tensor y = net.forward(x.slice(0, first, last));
      y.backward(grad_y.slice(0, first, last));
      return y.detach();
    };
    const Tensor y = step(0, 8);
    const auto whole = taken_gradients(net);
    EXPECT_TRUE(same_bits(step(0, 3), y.slice(0, 0, 3)));
    const auto first = taken_gradients(net);
    EXPECT_TRUE(same_bits(step(3, 8), y.slice(0, 3, 8)));
    const auto second = taken_gradients(net);
    step(0, 3);
    step(3, 8);
    const auto accumulated = taken_gradients(net);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(same_bits(accumulated[i], first[i] + second[i])) << "parameter " << i;
      const double tolerance = backward == BackwardMode::kFloat32 ? 1e-5 : 2e-2;
      EXPECT_LE((accumulated[i] - whole[i]).norm().item<double>(), tolerance * whole[i].norm().item<double>())
          << "parameter " << i;
    }
  }
}

/// Gradient checkpointing: keeps x alone, and computes the forward again in backward.
struct Checkpoint : torch::autograd::Function<Checkpoint> {
  using Body = std::function<Tensor(const Tensor&)>;
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Body* body) {
    context->save_for_backward({x});
    context->saved_data["body"] = reinterpret_cast<std::int64_t>(body);
    return (*body)(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto* body = reinterpret_cast<const Body*>(context->saved_data["body"].toInt());
    const Tensor x = context->get_saved_variables()[0].detach().requires_grad_();
    const torch::AutoGradMode with_gradients(true);
    torch::autograd::backward({(*body)(x)}, {grads[0]});
    return {x.grad(), Tensor()};
  }
};

TEST_F(TrainingStep, HasTheSameGradientsWhenBackwardComputesTheForwardAgain) {
  for (const BackwardMode backward : {BackwardMode::kFloat32, BackwardMode::kBfloat16}) {
    SCOPED_TRACE(static_cast<int>(backward));
    Net net;
    freeze(net, kShape, config_of(backward));
    const Tensor x = torch::randn({6, 3, 9, 9}).requires_grad_(), grad_y = torch::randn({6, 5});
    const Tensor y = net.forward(x);
    y.backward(grad_y);
    const auto expected = taken_gradients(net);
    const Tensor expected_x = x.grad().clone();
    x.mutable_grad() = Tensor();

    const Checkpoint::Body features = [&](const Tensor& in) { return net.features(in); };
    const Checkpoint::Body classify = [&](const Tensor& in) { return net.classify(in); };
    const Tensor again = Checkpoint::apply(Checkpoint::apply(x, &features), &classify);
    EXPECT_TRUE(same_bits(again, y));
    again.backward(grad_y);
    const auto got = taken_gradients(net);
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_TRUE(same_bits(got[i], expected[i])) << "parameter " << i;
    EXPECT_TRUE(same_bits(x.grad(), expected_x));
  }
}

/// The state of a model after two steps, plain or with every forward computed again in backward.
std::vector<Tensor> trained(Net& net, const std::vector<Tensor>& batches, bool again, QuantizerState from) {
  for (const auto& module : net.modules(false))
    if (auto layer = as_qat_layer(module)) {
      layer->configure(LayerConfig(), "layer", /*observe_steps=*/2);
      layer->set_state(QuantizerState::kObserving);
    }
  net.train();
  if (from == QuantizerState::kQuantizing)
    for (int i = 0; i < 2; ++i) net.forward(batches[0]);
  const Checkpoint::Body features = [&](const Tensor& in) { return net.features(in); };
  const Checkpoint::Body classify = [&](const Tensor& in) { return net.classify(in); };
  std::vector<Tensor> state;
  const auto forward = [&](const Tensor& batch) {
    const Tensor x = batch.clone().requires_grad_();
    const Tensor y = again ? Checkpoint::apply(Checkpoint::apply(x, &features), &classify) : net.forward(x);
    state.push_back(y.detach().clone());
    return y.pow(2).sum();
  };
  for (const Tensor& batch : batches) forward(batch).backward();
  const Tensor first = forward(batches[0]), second = forward(batches[1]);  // two before their backward
  first.backward();
  second.backward();
  for (const Tensor& parameter : net.parameters()) state.push_back(parameter.grad().clone());
  for (const Tensor& buffer : net.buffers()) state.push_back(buffer.clone());
  return state;
}

TEST_F(TrainingStep, MovesNoGridTwiceWhenBackwardComputesTheForwardAgain) {
  std::vector<Tensor> batches;
  for (const double size : {1.0, 2.0, 0.5}) batches.push_back(size * torch::randn({6, 3, 9, 9}));
  for (const QuantizerState from : {QuantizerState::kObserving, QuantizerState::kQuantizing}) {
    SCOPED_TRACE(state_name(from));
    Net net, other;
    for (std::size_t i = 0; i < net.parameters().size(); ++i)
      other.parameters()[i].data().copy_(net.parameters()[i].data());
    const auto expected = trained(net, batches, false, from), got = trained(other, batches, true, from);
    ASSERT_EQ(expected.size(), got.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(torch::equal(got[i], expected[i])) << i;
  }
}

TEST_F(TrainingStep, SaysWhenTwoForwardsCannotBeToldApartInBackward) {
  QATLinear layer(4, 2);
  layer->configure(LayerConfig(), "fc", 1);
  layer->set_state(QuantizerState::kObserving);
  layer->forward(torch::tensor({{-1.0f, 0.0f, 0.5f, 1.0f}}));
  const Checkpoint::Body body = [&](const Tensor& in) { return layer->forward(in); };
  const auto forward = [&](std::vector<float> values) {
    return Checkpoint::apply(torch::tensor(values).view({1, 4}).requires_grad_(), &body).sum();
  };
  // One range twice, and a grid that moved between them.
  const Tensor first = forward({-3, 0, 1, 3}), second = forward({-3, 2, -2, 3});
  EXPECT_EQ(error_of([&] { first.backward(); }),
            "[qat] fc: expected forwards of different ranges before a backward pass that computes them "
            "again, got two of one range on grids that moved; freeze() the grids, or run backward after each "
            "forward");
}

QATLinear frozen_linear() {
  QATLinear layer(40, 17);
  layer->configure(LayerConfig(), "fc1", 0);
  layer->set_state(QuantizerState::kObserving);
  layer(torch::randn({16, 40}));
  layer->set_state(QuantizerState::kFrozen);
  return layer;
}

/// A change of a weight between two forwards.
struct WeightChange {
  const char* why;
  std::function<void(QATLinear&)> change;
};
TEST_F(TrainingStep, UsesEveryNewValueOfAWeightWithoutGradients) {
  const auto copy_of = [](QATLinear& layer) {
    std::stringstream file;
    torch::save(layer, file);
    return file.str();
  };
  QATLinear other = frozen_linear();
  const std::string saved = copy_of(other);
  const WeightChange changes[] = {
      {"in place", [](QATLinear& layer) { layer->weight.mul_(1.5); }},
      {"one element", [](QATLinear& layer) { layer->weight[3][7] = 2.0f; }},
      {"a step of an optimizer",
       [](QATLinear& layer) {
         torch::optim::SGD optimizer(layer->parameters(), 0.1);
         layer->weight.mutable_grad() = torch::randn({17, 40});
         optimizer.step();
       }},
      {"another tensor's memory",
       [](QATLinear& layer) {
         layer->weight.set_data(torch::randn({17, 40}));
       }},
      {"twice another memory, which may lie where the first one did",
       [](QATLinear& layer) {
         layer->weight.set_data(torch::randn({17, 40}));
         layer->weight.set_data(torch::randn({17, 40}));
       }},
      {"a file",
       [&](QATLinear& layer) {
         std::stringstream file(saved);
         torch::load(layer, file);
       }},
  };
  QATLinear layer = frozen_linear();
  layer->eval();
  const torch::NoGradGuard no_grad;
  for (int round = 0; round < 5; ++round) {
    for (const WeightChange& c : changes) {
      SCOPED_TRACE(c.why);
      layer->weight.mutable_grad() = Tensor();
      const Tensor x = torch::randn({3, 40});
      const Tensor before = layer(x);
      EXPECT_TRUE(same_bits(layer(x), before));
      c.change(layer);
      const Tensor after = layer(x);
      EXPECT_FALSE(same_bits(after, before));
      Tensor expected;
      {
        const torch::AutoGradMode with_gradients(true);  // packs the weight anew in each forward
        expected = layer(x);
      }
      EXPECT_TRUE(same_bits(after, expected));
    }
  }
}

/// Bytes that tensors made by this thread hold.
struct LiveBytes : c10::MemoryReportingInfoBase {
  std::int64_t bytes = 0;
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    bytes += size;
  }
  bool memoryProfilingEnabled() const override { return true; }
};

TEST_F(TrainingStep, KeepsCodesAndBitsOfEachInputAndNothingElse) {
  constexpr std::int64_t kRows = 66, kSizes[] = {783, 129, 65, 10};
  for (const BackwardMode backward : {BackwardMode::kFloat32, BackwardMode::kBfloat16}) {
    torch::nn::Sequential mlp;
    for (int i = 0; i < 3; ++i)
      mlp->push_back(QATLinear(QATLinearOptions(kSizes[i], kSizes[i + 1]).relu_input(i > 0)));
    freeze(mlp, {1, kSizes[0]}, config_of(backward));
    mlp->train();
    const Tensor x = torch::randn({kRows, kSizes[0]});
    mlp->forward(x).sum().backward();  // workspaces and gradients have their memory now
    const std::int64_t workspace_bytes = ops::workspace_bytes();

    const auto live = std::make_shared<LiveBytes>();
    const c10::DebugInfoGuard watch(c10::DebugInfoKind::PROFILER_STATE, live);
    Tensor y = mlp->forward(x);
    std::int64_t expected = kRows * kSizes[3] * 4;  // y
    for (int i = 0; i < 3; ++i) {
      const std::int64_t elements = kRows * kSizes[i];
      expected += elements + (elements + 7) / 8;  // codes, clip mask
      expected += 4 + 4 + 4 * kSizes[i + 1];      // the input's grid, the weight's scales
    }
    EXPECT_EQ(live->bytes, expected);
    y.sum().backward();
    y = Tensor();
    EXPECT_EQ(live->bytes, 0);
    EXPECT_EQ(ops::workspace_bytes(), workspace_bytes);
  }
}

}  // namespace
}  // namespace samebits
