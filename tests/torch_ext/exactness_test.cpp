// The promise of the library on random models: training forward, eval forward, any split of the batch, any
// number of threads, the runtime with and without folding, and the oracle all give the same bits. Run for
// each instruction set.
#include "runtime/interpreter.h"
#include "tests/graph/op_cases.h"
#include "tests/kernels/kernel_test.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/max_pool2d.h"
#include "torch_ext/modules/relu.h"

namespace samebits {
namespace {

using kernels::Random;
using kernels::random_int;
using runtime::Array;
using torch::Tensor;

class Exactness : public kernels::KernelTest {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    at::set_num_threads(1);
    KernelTest::SetUp();
  }
  Random random_{8};
};

bool coin(Random& random) {
  return random_int(random, 0, 1) == 1;
}

LayerConfig random_scheme(Random& random, bool takes_groups) {
  LayerConfig config;
  config.weight.bits = static_cast<int>(random_int(random, 2, 8));
  config.weight.symmetric = config.weight.bits == 8 || coin(random);
  config.weight.granularity = coin(random) ? Granularity::kPerChannel : Granularity::kPerTensor;
  if (takes_groups && coin(random)) {
    config.weight.granularity = Granularity::kPerGroup;
    config.weight.group_size = coin(random) ? 32 : 64;
  }
  config.activation.bits = static_cast<int>(random_int(random, 4, 8));
  config.activation.symmetric = coin(random);
  config.backward = static_cast<BackwardMode>(random_int(random, 0, 2));
  config.estimator = static_cast<EstimatorKind>(random_int(random, 0, 5));
  return config;
}

/// Convolutions with relus and pools between them, then linears: sizes, schemes and order at random.
struct RandomNet : torch::nn::Module {
  std::vector<std::function<Tensor(const Tensor&)>> stages;
  std::vector<std::int64_t> shape;  // of one image, behind the stages so far
  std::vector<std::int64_t> x_shape;

  explicit RandomNet(Random& random) {
    x_shape = shape = {random_int(random, 1, 5), random_int(random, 6, 13), random_int(random, 6, 13)};
    const std::int64_t convs = random_int(random, 0, 3), linears = random_int(random, 1, 3);
    for (std::int64_t i = 0; i < convs; ++i) {
      add_conv(random);
      add_between(random);
    }
    stages.push_back([](const Tensor& x) { return torch::flatten(x, 1); });
    shape = {shape[0] * shape[1] * shape[2]};
    for (std::int64_t i = 0; i < linears; ++i) add_linear(random);
  }

  void add_conv(Random& random) {
    const std::int64_t kernel[] = {random_int(random, 1, std::min<std::int64_t>(3, shape[1])),
                                   random_int(random, 1, std::min<std::int64_t>(3, shape[2]))};
    const std::int64_t stride = random_int(random, 1, 2), padding = random_int(random, 0, 1);
    const std::int64_t groups = coin(random) ? 1 : shape[0];
    const std::int64_t channels = groups * random_int(random, 1, groups == 1 ? 20 : 2);
    auto options = QATConv2dOptions(shape[0], channels, {kernel[0], kernel[1]})
                       .stride(stride)
                       .padding(padding)
                       .groups(groups)
                       .bias(coin(random))
                       .relu_input(!stages.empty() && coin(random));
    options.scheme(random_scheme(random, /*takes_groups=*/false));
    if (coin(random)) options.batch_norm(torch::nn::BatchNormOptions(channels));
    auto conv = register_module("conv" + std::to_string(stages.size()), QATConv2d(options));
    stages.push_back([conv](const Tensor& x) { return conv->forward(x); });
    for (const int axis : {0, 1})
      shape[axis + 1] = (shape[axis + 1] + 2 * padding - kernel[axis]) / stride + 1;
    shape[0] = channels;
  }

  void add_between(Random& random) {
    if (coin(random)) stages.push_back([](const Tensor& x) { return samebits::relu(x); });
    if (shape[1] < 2 || shape[2] < 2) return;
    switch (random_int(random, 0, 4)) {
      case 0:
        stages.push_back([](const Tensor& x) { return samebits::max_pool2d(x, 2); });
        break;
      case 1:
        stages.push_back([](const Tensor& x) { return torch::max_pool2d(x, 2); });
        break;
      case 2:
        stages.push_back([](const Tensor& x) { return torch::avg_pool2d(x, 2); });
        break;
      default:
        return;
    }
    shape[1] /= 2;
    shape[2] /= 2;
  }

  void add_linear(Random& random) {
    const std::int64_t features = random_int(random, 1, 90);
    auto options = QATLinearOptions(shape[0], features).bias(coin(random)).relu_input(coin(random));
    options.scheme(random_scheme(random, /*takes_groups=*/true));
    if (coin(random)) options.batch_norm(torch::nn::BatchNormOptions(features));
    auto linear = register_module("fc" + std::to_string(stages.size()), QATLinear(options));
    stages.push_back([linear](const Tensor& x) { return linear->forward(x); });
    shape = {features};
  }

  Tensor forward(const Tensor& x) {
    Tensor y = x;
    for (auto& stage : stages) y = stage(y);
    return y;
  }
  /// Batch norms as training may leave them: factors of either sign, 0, and of a variance near 0.
  void scatter_batch_norms(Random& random) {
    const torch::NoGradGuard no_grad;
    for (const auto& child : children()) {
      const auto norm = as_qat_layer(child)->batch_norm();
      if (norm == nullptr) continue;
      norm->weight.normal_();
      norm->bias.normal_();
      norm->running_mean.normal_();
      norm->running_var.uniform_(0.2, 2);
      norm->running_var[random_int(random, 0, norm->channels() - 1)] = 1e-20f;
      norm->weight[random_int(random, 0, norm->channels() - 1)] = 0.0f;
    }
  }
  Tensor images(std::int64_t batch) const {
    std::vector<std::int64_t> sizes = x_shape;
    sizes.insert(sizes.begin(), batch);
    return torch::randn(sizes);
  }
};

Array array_of(const Tensor& x_any) {
  const Tensor x = x_any.detach().contiguous();
  return {x.sizes().vec(), {x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel()}};
}
Tensor tensor_of(const Array& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

/// What `run` gives for x, and for parts of x one after the other.
template <class Run>
Tensor in_parts(const Tensor& x, Run run) {
  return torch::cat({run(x.slice(0, 0, 1)), run(x.slice(0, 1, 4)), run(x.slice(0, 4))});
}

void expect_one_answer(RandomNet& net) {
  Tensor x = net.images(7) * 2;
  x.flatten()[3] = 1e30f;
  x.flatten()[x.numel() - 2] = -std::numeric_limits<float>::infinity();
  const graph::Graph graph = convert(net, net.images(3)).graph();
  const Array x_array = array_of(x);
  const graph::FloatTensor y = oracle::run(graph, {{x_array.shape, x_array.values}}).at(graph.outputs[0]);
  const Tensor expected = tensor_of({y.shape, y.values});

  const auto forward = [&](const Tensor& part) { return net.forward(part); };
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(c10::str(threads, " threads"));
    at::set_num_threads(threads);
    net.train();
    EXPECT_TRUE(same_bits(net.forward(x), expected)) << "training";
    EXPECT_TRUE(same_bits(in_parts(x, forward), expected)) << "training, parts of the batch";
    net.eval();
    EXPECT_TRUE(same_bits(net.forward(x), expected)) << "eval with gradients";
    {
      const torch::NoGradGuard no_grad;
      EXPECT_TRUE(same_bits(net.forward(x), expected)) << "eval";
      EXPECT_TRUE(same_bits(in_parts(x, forward), expected)) << "eval, parts of the batch";
    }
    runtime::Interpreter interpreter(graph, threads);
    const auto run = [&](const Tensor& part) { return tensor_of(interpreter.run(array_of(part))); };
    EXPECT_TRUE(same_bits(run(x), expected)) << "runtime";
    EXPECT_TRUE(same_bits(in_parts(x, run), expected)) << "runtime, parts of the batch";
    interpreter.on_node = [](const graph::Node&, const Array&) {};
    EXPECT_TRUE(same_bits(run(x), expected)) << "runtime, nothing folded";
  }
  at::set_num_threads(1);
}

TEST_F(Exactness, EveryWayToRunARandomNetGivesTheOraclesBits) {
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(c10::str("net ", round));
    RandomNet net(random_);
    std::vector<std::int64_t> shape = net.x_shape;
    shape.insert(shape.begin(), 1);
    net.scatter_batch_norms(random_);
    freeze(net, shape).freeze_bn();
    expect_one_answer(net);
  }
}

TEST_F(Exactness, LayersThatStayFloatGiveOneAnswerInEvalModeToo) {
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(c10::str("net ", round));
    RandomNet net(random_);
    std::vector<std::int64_t> shape = net.x_shape;
    shape.insert(shape.begin(), 1);
    net.scatter_batch_norms(random_);
    Prepared prepared = freeze(net, shape);
    for (const auto& layer : prepared.layers())
      if (coin(random_)) layer->skip();
    net.eval();
    const graph::Graph graph = convert(net, net.images(3)).graph();
    const Array x = array_of(net.images(7) * 2);
    const graph::FloatTensor y = oracle::run(graph, {{x.shape, x.values}}).at(graph.outputs[0]);
    const Tensor expected = tensor_of({y.shape, y.values});
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(same_bits(net.forward(tensor_of(x)), expected)) << "eval, " << threads << " threads";
      EXPECT_TRUE(
          same_bits(in_parts(tensor_of(x), [&](const Tensor& part) { return net.forward(part); }), expected));
      EXPECT_TRUE(same_bits(tensor_of(runtime::Interpreter(graph, threads).run(x)), expected)) << "runtime";
    }
    at::set_num_threads(1);
  }
}

TEST_F(Exactness, StaysAfterStepsOfTrainingThatMoveTheGrids) {
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(c10::str("net ", round));
    RandomNet net(random_);
    Prepared prepared = prepare(net, QConfig(), net.images(1), /*observe_steps=*/2);
    torch::optim::SGD optimizer(net.parameters(), 0.01);
    for (int step = 0; step < 5; ++step) {
      optimizer.zero_grad();
      net.forward(net.images(9)).square().mean().backward();
      optimizer.step();
    }
    EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
    prepared.freeze();
    prepared.freeze_bn();
    expect_one_answer(net);
  }
}

}  // namespace
}  // namespace samebits
