// convert(): the graph that a model becomes, and what cannot be exported.
#include "torch_ext/convert.h"

#include "graph/operator.h"
#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/float_linear.h"
#include "graph/ops/layers/linear.h"
#include "graph/ops/pool/max_pool2d.h"
#include "graph/package.h"
#include "runtime/interpreter.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/modules/relu.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;

class Convert : public ModelTest {};

/// "conv1: conv2d(x) -> v1", a line a node.
std::vector<std::string> lines_of(const graph::Graph& graph) {
  std::vector<std::string> lines;
  for (const graph::Node& node : graph.nodes) {
    std::string inputs;
    for (const std::string& input : node.inputs) inputs += (inputs.empty() ? "" : ", ") + input;
    lines.push_back(node.name + ": " + node.op->name + "(" + inputs + ") -> " + node.outputs[0]);
  }
  return lines;
}

TEST_F(Convert, WritesTheLayersOfAnMlpWithTheirCodesAndGrids) {
  Mlp model;
  freeze(model, {1, 12}, QConfig::preset("w4a8"));
  const graph::Graph graph = convert(model, torch::randn({3, 12}), "mlp").graph();
  EXPECT_EQ(graph.name, "mlp");
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph::to_text(graph.inputs[0].type.shape), "[batch, 12]");
  EXPECT_EQ(graph.outputs, std::vector<std::string>{"v3"});
  EXPECT_THAT(lines_of(graph), testing::ElementsAre("fc1: linear(x) -> v1", "relu_1: relu(v1) -> v2",
                                                    "fc2: linear(v2) -> v3"));
  EXPECT_EQ(graph.nodes[0].scope, "fc1");
  EXPECT_EQ(graph.nodes[1].scope, "");
  const auto& fc1 = graph.nodes[0].as<graph::Linear>();
  EXPECT_EQ(fc1.input_grid, model.fc1->input().affine_grid());
  EXPECT_EQ(fc1.weight.shape, (std::vector<std::int64_t>{16, 12}));
  const quant::Encoding expected{.bits = 4,
                                 .qmin = -8,
                                 .qmax = 7,
                                 .symmetric = true,
                                 .granularity = quant::Granularity::kPerGroup,
                                 .group_size = 32};
  EXPECT_EQ(fc1.weight.encoding, expected);
  EXPECT_TRUE(fc1.weight.zero_point.empty());
  EXPECT_EQ(fc1.weight, model.fc1->quantized_weight());
  EXPECT_EQ(torch::tensor(fc1.bias).sub(model.fc1->bias.detach()).abs().max().item<float>(), 0.0f);
}

TEST_F(Convert, WritesPoolsBranchesAndViewsOfACnnAndLeavesDropoutOut) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  const graph::Graph graph = convert(model, torch::randn({3, 2, 8, 8})).graph();
  EXPECT_EQ(graph.name, "model");
  EXPECT_EQ(graph::to_text(graph.inputs[0].type.shape), "[batch, 2, 8, 8]");
  EXPECT_THAT(lines_of(graph),
              testing::ElementsAre("conv1: conv2d(x) -> v1", "relu_1: relu(v1) -> v2",
                                   "max_pool2d_2: max_pool2d(v2) -> v3", "conv2: conv2d(v3) -> v4",
                                   "relu_4: relu(v4) -> v5", "add_5: add(v5, v3) -> v6",
                                   "avg_pool2d_6: avg_pool2d(v6) -> v7", "flatten_7: flatten(v7) -> v8",
                                   "fc: linear(v8) -> v9"));
  EXPECT_EQ(graph.nodes[2].as<graph::MaxPool2d>(), (graph::MaxPool2d{{2, 2}, {2, 2}}));
  const auto& conv2 = graph.nodes[3].as<graph::Conv2d>();
  EXPECT_EQ(conv2.padding, (graph::Pair{1, 1}));
  EXPECT_EQ(conv2.groups, 2);
  EXPECT_TRUE(conv2.bias.empty());
}

TEST_F(Convert, TakesTheModelsOwnModeAndGivesItBack) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  for (const bool training : {true, false}) {
    model.train(training);
    EXPECT_EQ(convert(model, torch::randn({3, 2, 8, 8})).graph().nodes.size(), 9u);
    EXPECT_EQ(model.is_training(), training);
  }
}

TEST_F(Convert, GivesALayerThatIsUsedTwiceTwoNodes) {
  Free model([](Free& m, const Tensor& x) { return m.fc(torch::relu(m.fc(x))); });
  freeze(model, {1, 12});
  const QuantizedModel quantized = convert(model, torch::randn({3, 12}));
  EXPECT_THAT(
      lines_of(quantized.graph()),
      testing::ElementsAre("fc: linear(x) -> v1", "relu_1: relu(v1) -> v2", "fc#2: linear(v2) -> v3"));
  quantized.save(folder_ / "twice.samebits");
  EXPECT_EQ(verify(model, folder_ / "twice.samebits", {torch::randn({4, 12})}).differing, 0);
}

/// What stands after a layer "fc" [n, 12], and what it becomes.
struct ForwardCase {
  const char* why;
  Free::Forward forward;
  std::vector<std::string> lines;
};
TEST_F(Convert, TakesEveryWayToWriteWhatItSupports) {
  const ForwardCase cases[] = {
      {"relu in place", [](Free& m, const Tensor& x) { return m.fc(x).relu_(); }, {"relu_1: relu(v1) -> v2"}},
      {"the relu of this library",
       [](Free& m, const Tensor& x) { return samebits::relu(m.fc(x)); },
       {"relu_1: relu(v1) -> v2"}},
      {"the functional",
       [](Free& m, const Tensor& x) { return torch::nn::functional::relu(m.fc(x)); },
       {"relu_1: relu(v1) -> v2"}},
      {"clamp, hardtanh and relu6",
       [](Free& m, const Tensor& x) {
         return torch::hardtanh(torch::clamp(torch::relu6(m.fc(x)), -1, 5.5), 0.25, 5);
       },
       {"clamp_1: clamp(v1) -> v2", "clamp_2: clamp(v2) -> v3", "clamp_3: clamp(v3) -> v4"}},
      {"relu6 in place",
       [](Free& m, const Tensor& x) {
         Tensor y = m.fc(x);
         torch::relu6_(y);
         return y;
       },
       {"clamp_1: clamp(v1) -> v2"}},
      {"addition in place",
       [](Free& m, const Tensor& x) { return m.fc(x).add_(x); },
       {"add_1: add(v1, x) -> v2"}},
      {"a view of the same shape",
       [](Free& m, const Tensor& x) {
         return m.fc(x).view({x.size(0), 12}).relu();
       },
       {"relu_1: relu(v1) -> v2"}},
      {"reshape of parts",
       [](Free& m, const Tensor& x) {
         return m.fc(x.reshape({x.size(0), -1}));
       },
       {}},
      {"dropout and contiguous",
       [](Free& m, const Tensor& x) {
         return torch::dropout(m.fc(x), 0.5, m.is_training()).contiguous().relu();
       },
       {"relu_1: relu(v1) -> v2"}},
      {"a result that is not used",
       [](Free& m, const Tensor& x) {
         torch::softmax(x, 1);
         return m.fc(x);
       },
       {}},
  };
  for (const ForwardCase& c : cases) {
    SCOPED_TRACE(c.why);
    Free model(c.forward);
    freeze(model, {1, 12});
    const QuantizedModel quantized = convert(model, torch::randn({3, 12}));
    std::vector<std::string> expected = {"fc: linear(x) -> v1"};
    expected.insert(expected.end(), c.lines.begin(), c.lines.end());
    EXPECT_EQ(lines_of(quantized.graph()), expected);
    quantized.save(folder_ / "forward.samebits");
    EXPECT_EQ(verify(model, folder_ / "forward.samebits", {torch::randn({4, 12})}).differing, 0);
  }
}

/// A forward that cannot be exported, and why.
struct RefusedCase {
  std::string expected;
  Free::Forward forward;
};
TEST_F(Convert, NamesWhatCannotBeExported) {
  const std::string ops = ": expected one of " + graph::operator_names() + ", got ";
  const std::string outside = "; compute it outside of the exported model";
  const auto own = [](const std::string& op) {
    return ": expected samebits::" + op + ", got aten::" + op +
           ", whose bits are its library's; call samebits::" + op +
           ", or capture() the model, which prepare() then rewrites";
  };
  const Tensor other = torch::randn({12, 12});
  const RefusedCase cases[] = {
      {"[export] after fc" + own("softmax"),
       [](Free& m, const Tensor& x) { return torch::softmax(m.fc(x), 1); }},
      {"[export] after the input" + own("sigmoid"),
       [](Free& m, const Tensor& x) { return m.fc(torch::sigmoid(x)); }},
      {"[export] after fc" + own("matmul"),
       [other](Free& m, const Tensor& x) { return torch::matmul(m.fc(x), other); }},
      {"[export] after fc" + ops + "aten::cumsum" + outside,
       [](Free& m, const Tensor& x) { return torch::cumsum(m.fc(x), 1); }},
      {"[export] after fc: expected alpha 1 of aten::add, got 2, which ATen fuses or not by processor; write "
       "a "
       "product and a sum",
       [](Free& m, const Tensor& x) { return torch::add(m.fc(x), x, 2); }},
      {"[export] model: expected a result computed from the input, got a constant",
       [](Free& m, const Tensor& x) {
         m.fc(x);
         return torch::ones({3, 1});
       }},
  };
  for (const RefusedCase& c : cases) {
    Free model([](Free& m, const Tensor& x) { return m.fc(x); });
    freeze(model, {1, 12});
    model.run = c.forward;
    EXPECT_EQ(error_of([&] { convert(model, torch::randn({3, 12})); }), c.expected);
  }
}

TEST_F(Convert, RefusesAveragesByADivisor) {
  struct Pooled : torch::nn::Module {
    QATConv2d conv{2, 2, 1};
    std::function<Tensor(const Tensor&)> pool;
    Pooled() { register_module("conv", conv); }
    Tensor forward(const Tensor& x) { return pool(conv(x)); }
  } model;
  const auto average = [](bool ceil_mode, bool counts_padding, std::optional<std::int64_t> divisor) {
    return [=](const Tensor& x) {
      return torch::avg_pool2d(x, {2, 2}, {2, 2}, {1, 1}, ceil_mode, counts_padding, divisor);
    };
  };
  model.pool = average(false, true, std::nullopt);
  freeze(model, {1, 2, 5, 5});
  EXPECT_EQ(error_of([&] { convert(model, torch::randn({2, 2, 5, 5})); }), "no error");
  for (const auto& pool : {average(true, true, std::nullopt), average(false, false, std::nullopt)}) {
    model.pool = pool;
    EXPECT_EQ(error_of([&] { convert(model, torch::randn({2, 2, 5, 5})); }), "no error");
  }
  model.pool = average(false, true, 3);
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({2, 2, 5, 5}));
            }),
            "[export] avg_pool2d_1: expected no divisor_override, got one; multiply the average");
  model.pool = [](const Tensor& x) { return torch::adaptive_avg_pool2d(x, {1, 1}); };
  EXPECT_EQ(
      error_of([&] {
        convert(model, torch::randn({2, 2, 5, 5}));
      }),
      "[export] after conv: expected samebits::adaptive_avg_pool2d, got aten::adaptive_avg_pool2d, whose "
      "bits are its library's; call samebits::adaptive_avg_pool2d, or capture() the model, which prepare() "
      "then rewrites");
}

TEST_F(Convert, ExportsSkippedLayersAsFloatLayersWithTheModelsBits) {
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("conv1", skip);
  config.layers.emplace_back("fc", skip);
  Cnn model;
  freeze(model, {1, 2, 8, 8}, config);
  const QuantizedModel quantized = convert(model, torch::randn({3, 2, 8, 8}));
  EXPECT_EQ(lines_of(quantized.graph())[0], "conv1: float_conv2d(x) -> v1");
  EXPECT_EQ(lines_of(quantized.graph()).back(), "fc: float_linear(v8) -> v9");
  quantized.save(folder_ / "cnn.samebits");
  EXPECT_EQ(verify(model, folder_ / "cnn.samebits", {torch::randn({40, 2, 8, 8}) * 3}).text(),
            "cnn.samebits: 0 of 200 logits differ (40 images)");
  model.train();  // where the layer is the float layer that it was
  const Tensor x = torch::randn({4, 2, 8, 8});
  EXPECT_TRUE(
      same_bits(model.conv1->forward(x), torch::conv2d(x, model.conv1->weight, model.conv1->bias, 1, 1)));
}

TEST_F(Convert, ExportsSkippedLayersOfASequential) {
  torch::nn::Sequential model(torch::nn::Linear(40, 30), torch::nn::ReLU(), torch::nn::Linear(30, 20),
                              torch::nn::Linear(20, 7));
  const Tensor weight = model[2]->as<torch::nn::Linear>()->weight;
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("2", skip);
  freeze(model, {1, 40}, config);
  const QuantizedModel quantized = convert(model, torch::randn({3, 40}));
  EXPECT_THAT(lines_of(quantized.graph()),
              testing::ElementsAre("0: linear(x) -> v1", "relu_1: relu(v1) -> v2",
                                   "2: float_linear(v2) -> v3", "3: linear(v3) -> v4"));
  quantized.save(folder_ / "net.samebits");
  EXPECT_EQ(verify(model, folder_ / "net.samebits", {torch::randn({50, 40})}).differing, 0);
  EXPECT_TRUE(model->parameters()[2].is_same(weight));  // optimizers go on
}

TEST_F(Convert, RefusesAFloatLayerWhoseSumsAreItsLibrarys) {
  struct Mixed : torch::nn::Module {
    QATLinear first{QATLinearOptions(4, 4)};
    torch::nn::Linear last{4, 2};
    Mixed() {
      register_module("first", first);
      register_module("last", last);
    }
    Tensor forward(const Tensor& x) { return last(torch::relu(first(x))); }
  } model;
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("last", skip);
  freeze(model, {1, 4}, config);
  EXPECT_EQ(
      error_of([&] {
        convert(model, torch::randn({3, 4}));
      }),
      "[export] after relu_1: expected one of " + graph::operator_names() +
          ", got aten::addmm; the order of its sums is its library's: make it a QAT layer, and skip it if it "
          "shall stay float");
}

/// Two layers on one weight, each with its own input grid.
struct Tied : torch::nn::Module {
  QATLinear encode, decode;
  explicit Tied(torch::nn::Linear shared)
      : encode(std::make_shared<QATLinearImpl>(*shared)), decode(std::make_shared<QATLinearImpl>(*shared)) {
    register_module("encode", encode);
    register_module("decode", decode);
  }
  Tensor forward(const Tensor& x) { return decode(torch::relu(encode(x))); }
};

TEST_F(Convert, GivesTiedWeightsTheirOwnInputGrids) {
  Tied model(torch::nn::Linear(8, 8));
  freeze(model, {1, 8});
  const graph::Graph graph = convert(model, torch::randn({3, 8})).graph();
  EXPECT_EQ(graph.nodes[0].as<graph::Linear>().input_grid, model.encode->input().affine_grid());
  EXPECT_EQ(graph.nodes[2].as<graph::Linear>().input_grid, model.decode->input().affine_grid());
  EXPECT_NE(graph::input_grid(graph.nodes[0]), graph::input_grid(graph.nodes[2]));
}

TEST_F(Convert, GivesMadeUpNamesThatNoLayerHas) {
  struct Named : torch::nn::Module {
    QATLinear first{QATLinearOptions(4, 4)}, second{QATLinearOptions(4, 4)}, third{QATLinearOptions(4, 4)};
    Named() {
      register_module("fc", first);
      register_module("relu_1", second);
      register_module("fc#2", third);
    }
    Tensor forward(const Tensor& x) { return third(first(second(torch::relu(first(x))))); }
  } model;
  freeze(model, {1, 4});
  EXPECT_THAT(
      lines_of(convert(model, torch::randn({3, 4})).graph()),
      testing::ElementsAre("fc: linear(x) -> v1", "relu_1_: relu(v1) -> v2", "relu_1: linear(v2) -> v3",
                           "fc#2_: linear(v3) -> v4", "fc#2: linear(v4) -> v5"));
}

TEST_F(Convert, NamesALayerThatIsStillObserving) {
  Mlp model;
  Prepared prepared = freeze(model, {1, 12});
  model.fc2->set_state(QuantizerState::kObserving);
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({3, 12}));
            }),
            "[export] fc2: expected state quantizing or frozen, got observing; train past qat.observe_steps "
            "or call freeze()");
  prepared.quantize();
  EXPECT_EQ(error_of([&] { convert(model, torch::randn({3, 12})); }), "no error");
}

TEST_F(Convert, RefusesAParameterThatIsNaN) {
  Mlp model;
  freeze(model, {1, 12});
  {
    const torch::NoGradGuard no_grad;
    model.fc2->bias[1] = std::nanf("");
  }
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({2, 12}));
            }),
            "[graph] fc2: bias: expected numbers, got NaN; look at the steps that trained it");
}

TEST_F(Convert, NeedsABatchAsExample) {
  Mlp model;
  freeze(model, {1, 12});
  EXPECT_EQ(error_of([&] { convert(model, torch::randn({12})); }),
            "[export] example: expected a batch, [n, ...], got shape [12]");
}

TEST_F(Convert, IsWorkableAgainAfterAForwardThatThrows) {
  Mlp model;
  freeze(model, {1, 12});
  EXPECT_THAT(error_of([&] {
                convert(model, torch::randn({3, 11}));
              }),
              testing::HasSubstr("[linear] x: expected [..., 12], got shape [3, 11]"));
  EXPECT_EQ(convert(model, torch::randn({3, 12})).graph().nodes.size(), 3u);
}

TEST_F(Convert, IsUnmovedByTrainingThatFollows) {
  Mlp model;
  freeze(model, {1, 12});
  const QuantizedModel quantized = convert(model, torch::randn({3, 12}));
  const std::vector<std::int8_t> codes = quantized.graph().nodes[0].as<graph::Linear>().weight.codes;
  {
    const torch::NoGradGuard no_grad;
    model.fc1->weight.normal_();
  }
  EXPECT_EQ(quantized.graph().nodes[0].as<graph::Linear>().weight.codes, codes);
  quantized.save(folder_ / "old.samebits");
  EXPECT_GT(verify(model, folder_ / "old.samebits", {torch::randn({4, 12})}).differing, 0);
}

}  // namespace
}  // namespace samebits
