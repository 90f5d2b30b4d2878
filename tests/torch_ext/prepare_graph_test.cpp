// prepare() and convert() of a captured graph: its products become layers under their paths, with their
// parameters; what cannot ship is named before any training, all at once.
#include "tests/torch_ext/float_models.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/capture.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph/program/attention.h"
#include "torch_ext/graph/program/rewrite.h"
#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;
namespace nn = torch::nn;

class PrepareGraph : public ModelTest {};

/// Typed members, a 3-D linear, one without a bias, and a convolution in groups.
struct Plain : nn::Module {
  nn::Conv2d conv{nn::Conv2dOptions(2, 6, 3).padding(1)},
      grouped{nn::Conv2dOptions(6, 6, 3).groups(2).bias(false)};
  nn::Linear fc{54, 8}, out{nn::LinearOptions(8, 5).bias(false)};
  Plain() {
    register_module("conv", conv);
    register_module("grouped", grouped);
    register_module("fc", fc);
    register_module("out", out);
  }
  Tensor forward(const Tensor& x) {
    const Tensor y = torch::relu(grouped(torch::max_pool2d(torch::relu(conv(x)), 2)));
    return out(torch::relu(fc(torch::dropout(torch::avg_pool2d(y, 1).flatten(1), 0.2, is_training()))));
  }
};

Tensor images(std::int64_t n) {
  return torch::randn({n, 2, 10, 10});
}

template <class Model>
void train(Model& model, torch::optim::Optimizer& optimizer, int steps,
           const std::function<Tensor()>& batch) {
  model.train();
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    model.forward(batch()).square().mean().backward();
    optimizer.step();
  }
}

TEST_F(PrepareGraph, MakesLayersOfTypedMembersWithTheirParameters) {
  const auto net = std::make_shared<Plain>();
  GraphModule graph = capture(*net, images(3));
  const auto names = graph->named_parameters().keys();
  Prepared prepared = prepare(graph, QConfig::preset("w4a8"), images(3));
  EXPECT_EQ(
      prepared.report(),
      "layer    kind    weight             input        result\n"
      "conv     conv2d  int4 per channel   int8 affine  converted (groups became channels: conv2d has none)\n"
      "grouped  conv2d  int4 per channel   int8 affine  converted (groups became channels: conv2d has none)\n"
      "fc       linear  int4 groups of 32  int8 affine  converted\n"
      "out      linear  int4 groups of 32  int8 affine  converted\n");
  EXPECT_EQ(graph->named_parameters().keys(), names);
  for (const auto& each : net->named_parameters())
    EXPECT_TRUE(graph->named_parameters()[each.key()].is_same(each.value())) << each.key();
  EXPECT_NE(graph->named_modules("", false)["fc"]->as<QATLinear>(), nullptr);
  EXPECT_NE(graph->named_modules("", false)["conv"]->as<QATConv2d>(), nullptr);
}

/// y and the gradients of its mean square.
std::vector<Tensor> step(const Tensor& y, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> all =
      torch::autograd::grad({y.square().mean()}, parameters, {}, std::nullopt, false, /*allow_unused=*/true);
  all.push_back(y.detach());
  return all;
}

TEST_F(PrepareGraph, ComputesTheModelsBitsWhileItsLayersAreFloat) {
  const auto net = std::make_shared<Plain>();
  GraphModule graph = capture(*net, images(3));
  Prepared prepared = prepare(graph, QConfig(), images(3));
  prepared.set_state(QuantizerState::kFloat);
  const Tensor x = images(5);
  net->eval();
  graph->eval();
  const auto want = step(net->forward(x), net->parameters()),
             got = step(graph->forward(x), net->parameters());
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(same_bits(want[i], got[i])) << i;
}

TEST_F(PrepareGraph, ChangesNothingOfAFloatModelButOperatorsThatShipOtherBits) {
  for (const auto& c : float_models::all()) {
    SCOPED_TRACE(c.name);
    torch::manual_seed(2);
    const auto net = c.make();
    const ModelRef ref{*net, [&](const Tensors& in) { return Tensors{c.forward(*net, in[0])}; }};
    GraphModule graph = capture(ref, {c.batch(3)}), exact = capture(ref, {c.batch(3)});
    Program program = exact->program();
    use_plain_attention(program);
    use_exact_operators(program, exact_operators());
    exact->set_program(std::move(program));
    Prepared prepared = prepare(graph, QConfig(), Tensors{c.batch(3)}, {.strict = false});
    prepared.set_state(QuantizerState::kFloat);
    net->eval();
    graph->eval();
    exact->eval();
    const Tensor x = c.batch(5);
    const auto parameters = net->parameters();
    const auto want = step(c.forward(*net, x), parameters), got = step(graph->forward(x), parameters),
               with_exact = step(exact->forward(x), parameters);
    // Batch norms become part of layers, and recurrent layers are cut: other bits, the same numbers.
    const bool has_all_operators = c.name == "encoder" || c.name == "gpt";
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_EQ(want[i].defined(), got[i].defined()) << i;
      if (!want[i].defined()) continue;
      EXPECT_TRUE(torch::allclose(want[i], got[i], 1e-3, 1e-5)) << i;
      // A trace has linear layers of more dimensions as matmul, whose product for the weight's gradient adds in
      // another order. The output, and gradients of biases and norms, which stand behind every product's own:
      const bool is_weight = want[i].dim() == 2 && i + 1 < want.size();
      EXPECT_TRUE(!has_all_operators || is_weight || same_bits(with_exact[i], got[i])) << i;
    }
  }
}

TEST_F(PrepareGraph, ShipsTheBitsItTrainedOn) {
  const auto net = std::make_shared<Plain>();
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  GraphModule graph = capture(*net, images(3));
  train(*graph, optimizer, 3, [] { return images(8); });
  Prepared prepared = prepare(graph, QConfig::preset("int8"), images(3), /*observe_steps=*/3);
  train(*graph, optimizer, 8, [] { return images(8); });
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
  prepared.freeze();
  const QuantizedModel quantized = convert(graph, images(3));
  quantized.save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {images(50)}).text(),
            "net.samebits: 0 of 250 logits differ (50 images)");
}

TEST_F(PrepareGraph, TrainsAsTheSameModelOfModulesDoes) {
  struct Modules : nn::Module {
    QATLinear a, b;
    Modules(nn::Linear first, nn::Linear second)
        : a(std::make_shared<QATLinearImpl>(*first)), b(std::make_shared<QATLinearImpl>(*second)) {
      register_module("a", a);
      register_module("b", b);
    }
    Tensor forward(const Tensor& x) { return b(torch::relu(a(x))); }
  };
  struct Floats : nn::Module {
    nn::Linear a{6, 12}, b{12, 4};
    Floats() {
      register_module("a", a);
      register_module("b", b);
    }
    Tensor forward(const Tensor& x) { return b(torch::relu(a(x))); }
  };
  torch::manual_seed(4);
  Floats net;
  torch::manual_seed(4);
  Floats twin;
  Modules modules(twin.a, twin.b);
  GraphModule graph = capture(net, torch::randn({3, 6}));
  const Tensor example = torch::randn({3, 6});
  prepare(graph, QConfig(), example, 2);
  prepare(modules, QConfig(), example, 2);
  torch::optim::SGD first(graph->parameters(), 0.1), second(modules.parameters(), 0.1);
  const auto batches = [n = 0]() mutable {
    torch::manual_seed(100 + n++);
    return torch::randn({8, 6});
  };
  train(*graph, first, 6, batches);
  train(modules, second, 6, batches);
  for (const auto& each : modules.named_parameters())
    EXPECT_TRUE(same_bits(each.value(), graph->named_parameters()[each.key()])) << each.key();
}

/// Weights that are views, made anew, shared, and of other names than weight and bias.
struct Functional : nn::Module {
  Tensor packed = register_parameter("packed_weight", torch::randn({12, 6}) * 0.3);
  Tensor packed_bias = register_parameter("packed_bias", torch::randn({12}));
  Tensor shared = register_parameter("shared", torch::randn({6, 6}) * 0.3);
  Tensor forward(const Tensor& x) {
    const auto weights = packed.chunk(2, 0);
    const auto biases = packed_bias.chunk(2, 0);
    const Tensor a = torch::linear(x, weights[0], biases[0]),
                 b = torch::linear(torch::relu(x), weights[1], biases[1]);
    const Tensor both = torch::linear(x, packed, packed_bias);
    return torch::linear(torch::relu(torch::linear(torch::relu(a + b), shared)), shared) +
           torch::linear(both, packed.t());
  }
};

TEST_F(PrepareGraph, TakesWeightsThatAreViewsAndShared) {
  Functional net;
  GraphModule graph = capture(net, torch::randn({3, 6}));
  const auto names = graph->named_parameters().keys();
  Prepared prepared = prepare(graph, QConfig(), torch::randn({3, 6}), /*observe_steps=*/2);
  std::vector<std::string> paths;
  for (const LayerStatus& each : prepared.statuses()) paths.push_back(each.path);
  EXPECT_THAT(paths, testing::ElementsAre("product", "product_", "packed", "product__", "shared_layer"));
  EXPECT_EQ(graph->named_parameters().keys(), names);
  torch::optim::SGD optimizer(net.parameters(), 0.01);
  const Tensor before = net.packed.detach().clone();
  train(*graph, optimizer, 5, [] { return torch::randn({8, 6}); });
  EXPECT_FALSE(same_bits(before, net.packed));
  prepared.freeze();
  convert(graph, torch::randn({3, 6})).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {torch::randn({50, 6})}).differing, 0);
}

/// Operators that no graph has.
struct Strange : nn::Module {
  nn::Linear a{6, 6}, b{6, 6};
  nn::Sequential inner{nn::Linear(6, 6)};
  Strange() {
    register_module("a", a);
    register_module("b", b);
    register_module("inner", inner);
  }
  Tensor forward(const Tensor& x) {
    return inner->forward(torch::erfinv(torch::lgamma(b(torch::erfinv(a(x)))).sigmoid()));
  }
};

TEST_F(PrepareGraph, NamesAllThatCannotShipBeforeAnyTraining) {
  Strange net;
  GraphModule graph = capture(net, torch::rand({3, 6}));
  const auto modules = graph->named_modules("", false).keys();
  const std::string message = error_of([&] { prepare(graph, QConfig(), torch::rand({3, 6})); });
  EXPECT_THAT(message, testing::StartsWith("[prepare] model: expected operators that ship, got "));
  EXPECT_THAT(message, testing::HasSubstr("\n  aten::erfinv: expected one of "));
  EXPECT_THAT(message, testing::HasSubstr("\n  aten::lgamma: expected one of "));
  // As it was.
  EXPECT_EQ(graph->named_modules("", false).keys(), modules);
  EXPECT_TRUE(same_bits(net.forward(torch::ones({2, 6})), graph->forward(torch::ones({2, 6}))));
  Prepared prepared =
      prepare(graph, QConfig(), Tensors{torch::rand({3, 6})}, {.observe_steps = 1, .strict = false});
  EXPECT_GE(prepared.unshippable().size(), 3u);
  EXPECT_THAT(prepared.report(), testing::HasSubstr("cannot ship\n  aten::erfinv: expected one of "));
  torch::optim::SGD optimizer(net.parameters(), 0.001);
  graph->train();
  for (int i = 0; i < 3; ++i) graph->forward(torch::rand({4, 6})).sum().backward();
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
}

/// Batch norms behind a convolution and a linear layer, behind one whose output is read twice, and of a relu.
struct Normed : nn::Module {
  nn::Conv2d conv{nn::Conv2dOptions(2, 6, 3).padding(1)}, branch{nn::Conv2dOptions(6, 6, 1).bias(false)};
  nn::BatchNorm2d norm{6}, of_branch{6}, of_relu{6};
  nn::Linear fc{150, 8}, out{8, 5};
  nn::BatchNorm1d of_rows{nn::BatchNormOptions(8).affine(false)};
  Normed() {
    register_module("conv", conv);
    register_module("branch", branch);
    register_module("norm", norm);
    register_module("of_branch", of_branch);
    register_module("of_relu", of_relu);
    register_module("fc", fc);
    register_module("of_rows", of_rows);
    register_module("out", out);
  }
  Tensor forward(const Tensor& x) {
    const Tensor first = of_relu(torch::relu(norm(conv(x)))), second = branch(first);
    const Tensor y = torch::max_pool2d(of_branch(second) + second, 2);
    return out(torch::relu(of_rows(fc(y.flatten(1)))));
  }
};

TEST_F(PrepareGraph, JoinsBatchNormsThatAloneReadALayerAndNamesThem) {
  const auto net = std::make_shared<Normed>();
  GraphModule graph = capture(*net, images(3));
  const auto names = graph->named_parameters().keys();
  Prepared prepared = prepare(graph, QConfig(), Tensors{images(3)}, {.observe_steps = 2, .strict = false});
  EXPECT_THAT(prepared.report(),
              testing::HasSubstr("conv    conv2d  int8 per channel  int8 affine  converted "
                                 "(with batch norm norm)\n"));
  EXPECT_THAT(prepared.report(), testing::HasSubstr("(with batch norm of_rows)\n"));
  EXPECT_THAT(prepared.report(), testing::Not(testing::HasSubstr("of_branch")));
  EXPECT_EQ(graph->named_parameters().keys(), names);

  torch::optim::SGD optimizer(net->parameters(), 0.01);
  train(*graph, optimizer, 4, [] { return images(8); });
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);
  EXPECT_EQ(net->norm->num_batches_tracked.item<std::int64_t>(), 4);  // each step once
  EXPECT_FALSE(torch::equal(net->of_rows->running_mean, torch::zeros({8})));
  prepared.freeze();
  prepared.freeze_bn();
  const Tensor x = images(5);
  for (const char* path : {"of_branch", "of_relu"}) graph->named_modules()[path]->eval();
  const Tensor trained = graph->forward(x);
  graph->eval();
  EXPECT_TRUE(torch::allclose(graph->forward(x), trained, 1e-4, 1e-5));
  convert(graph, images(3)).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {images(20)}).differing, 0);
}

TEST_F(PrepareGraph, LeavesFloatWhatTheConfigurationSkips) {
  const auto net = std::make_shared<Plain>();
  GraphModule graph = capture(*net, images(3));
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("conv", skip);
  Prepared prepared = prepare(graph, config, images(3));
  EXPECT_THAT(prepared.report(),
              testing::HasSubstr("conv     conv2d                                 skipped (the configuration "
                                 "skips it)\n"));
  calibrate(graph, prepared, {images(8), images(8)});
  convert(graph, images(3)).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {images(20)}).differing, 0);
  config.layers.emplace_back("fcc", skip);
  GraphModule other = capture(*net, images(3));
  EXPECT_EQ(error_of([&] { prepare(other, config, images(3)); }),
            "[prepare] layers.fcc: expected the name of a layer or a glob that matches one, got no match; "
            "the nearest "
            "layer is \"fc\"");
}

TEST_F(PrepareGraph, KeepsTheFirstAndTheLastLayerAtEightBits) {
  Plain net;
  GraphModule graph = capture(net, images(3));
  QConfig config = QConfig::preset("first_last_8");
  EXPECT_EQ(prepare(graph, config, images(3)).report(),
            "layer    kind    weight            input        result\n"
            "conv     conv2d  int8 per channel  int8 affine  converted\n"
            "grouped  conv2d  int4 per channel  int4 affine  converted\n"
            "fc       linear  int4 per channel  int4 affine  converted\n"
            "out      linear  int8 per channel  int8 affine  converted\n");
  config.layers.emplace_back("out", QConfig::preset("int2").defaults);
  EXPECT_THAT(prepare(graph, config, images(3)).report(),
              testing::HasSubstr("out      linear  int2 per channel  int2 affine  converted\n"));
}

TEST_F(PrepareGraph, ShipsWhatIsFloatThroughout) {
  Plain net;
  GraphModule graph = capture(net, images(3));
  const Prepared prepared = prepare(graph, QConfig::preset("fp32"), images(3));
  EXPECT_TRUE(prepared.layers().empty());
  convert(graph, images(3)).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {images(20)}).differing, 0);
}

/// A convolution along sequences.
struct Signal : nn::Module {
  nn::Conv1d conv{nn::Conv1dOptions(3, 8, 5).stride(2).padding(2)},
      grouped{nn::Conv1dOptions(8, 8, 3).groups(4)};
  nn::Linear fc{8, 4};
  Signal() {
    register_module("conv", conv);
    register_module("grouped", grouped);
    register_module("fc", fc);
  }
  Tensor forward(const Tensor& x) { return fc(torch::relu(grouped(torch::relu(conv(x)))).mean(2)); }
};

TEST_F(PrepareGraph, MakesLayersOfConvolutionsAlongSequences) {
  Signal net;
  const auto signals = [](std::int64_t n) { return torch::randn({n, 3, 21}); };
  GraphModule graph = capture(net, signals(3));
  const auto names = graph->named_parameters().keys();
  Prepared prepared = prepare(graph, QConfig(), signals(3), /*observe_steps=*/2);
  EXPECT_EQ(prepared.report(),
            "layer            kind    weight            input        result\n"
            "conv.product     conv2d  int8 per channel  int8 affine  converted\n"
            "grouped.product  conv2d  int8 per channel  int8 affine  converted\n"
            "fc               linear  int8 per channel  int8 affine  converted\n");
  EXPECT_EQ(graph->named_parameters().keys(), names);
  torch::optim::SGD optimizer(net.parameters(), 0.05);
  const Tensor before = net.conv->weight.detach().clone();
  train(*graph, optimizer, 5, [&] { return signals(8); });
  EXPECT_FALSE(same_bits(before, net.conv->weight));
  prepared.freeze();
  convert(graph, signals(3)).save(folder_ / "net.samebits");
  EXPECT_EQ(verify(graph, folder_ / "net.samebits", {signals(20)}).differing, 0);
}

TEST_F(PrepareGraph, MakesLayersOfAttentionOfTorch) {
  const float_models::Case c = float_models::all()[4];
  const auto net = c.make();
  GraphModule graph = capture(
      ModelRef{*net, [&](const Tensors& in) { return Tensors{c.forward(*net, in[0])}; }}, {c.batch(3)});
  const auto names = graph->named_parameters().keys();
  const Prepared prepared = prepare(graph, QConfig(), Tensors{c.batch(3)}, {.strict = false});
  std::vector<std::string> paths;
  for (const LayerStatus& each : prepared.statuses()) paths.push_back(each.path);
  EXPECT_THAT(paths,
              testing::UnorderedElementsAre("embed", "fc", "encoder.layers.0.self_attn.in_proj",
                                            "encoder.layers.0.self_attn.out_proj", "encoder.layers.0.linear1",
                                            "encoder.layers.0.linear2", "encoder.layers.1.self_attn.in_proj",
                                            "encoder.layers.1.self_attn.out_proj", "encoder.layers.1.linear1",
                                            "encoder.layers.1.linear2"));
  EXPECT_EQ(graph->named_parameters().keys(), names);
}

}  // namespace
}  // namespace samebits
