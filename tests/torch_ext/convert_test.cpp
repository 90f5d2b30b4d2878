// convert(): the graph that a model becomes, and what cannot be exported.
#include "torch_ext/convert.h"

#include "tests/torch_ext/models.h"
#include "torch_ext/modules/relu.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;

class Convert : public ModelTest {};

/// "conv1: conv2d(x) -> v1", a line a node.
std::vector<std::string> lines_of(const runtime::Graph& graph) {
  std::vector<std::string> lines;
  for (const runtime::Node& node : graph.nodes) {
    std::string inputs;
    for (const std::string& input : node.inputs) inputs += (inputs.empty() ? "" : ", ") + input;
    lines.push_back(node.name + ": " + runtime::op_name(node.op) + "(" + inputs + ") -> " + node.output);
  }
  return lines;
}

TEST_F(Convert, WritesTheLayersOfAnMlpWithTheirCodesAndGrids) {
  Mlp model;
  freeze(model, {1, 12}, QConfig::preset("w4a8"));
  const runtime::Graph graph = convert(model, torch::randn({3, 12}), "mlp").graph();
  EXPECT_EQ(graph.name, "mlp");
  EXPECT_EQ(graph.input_shape, (std::vector<std::int64_t>{-1, 12}));
  EXPECT_EQ(graph.output, "v3");
  EXPECT_THAT(lines_of(graph), testing::ElementsAre("fc1: linear(x) -> v1", "relu_1: relu(v1) -> v2",
                                                    "fc2: linear(v2) -> v3"));
  const runtime::Node& fc1 = graph.nodes[0];
  EXPECT_EQ(fc1.input_grid, model.fc1->input().affine_grid());
  EXPECT_EQ(fc1.weight->shape, (std::vector<std::int64_t>{16, 12}));
  EXPECT_EQ(fc1.weight->bits, 4);
  EXPECT_EQ(fc1.weight->qmin, -8);
  EXPECT_EQ(fc1.weight->qmax, 7);
  EXPECT_EQ(fc1.weight->group_size, 32);
  EXPECT_TRUE(fc1.weight->zero_point.empty());
  EXPECT_EQ(fc1.weight->codes, model.fc1->quantized_weight().codes);
  EXPECT_EQ(torch::tensor(fc1.bias).sub(model.fc1->bias.detach()).abs().max().item<float>(), 0.0f);
}

TEST_F(Convert, WritesPoolsBranchesAndViewsOfACnnAndLeavesDropoutOut) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  const runtime::Graph graph = convert(model, torch::randn({3, 2, 8, 8})).graph();
  EXPECT_EQ(graph.name, "model");
  EXPECT_EQ(graph.input_shape, (std::vector<std::int64_t>{-1, 2, 8, 8}));
  EXPECT_THAT(lines_of(graph),
              testing::ElementsAre("conv1: conv2d(x) -> v1", "relu_1: relu(v1) -> v2",
                                   "max_pool2d_2: max_pool2d(v2) -> v3", "conv2: conv2d(v3) -> v4",
                                   "relu_4: relu(v4) -> v5", "add_5: add(v5, v3) -> v6",
                                   "avg_pool2d_6: avg_pool2d(v6) -> v7", "flatten_7: flatten(v7) -> v8",
                                   "fc: linear(v8) -> v9"));
  EXPECT_EQ(graph.nodes[2].window.kernel, (std::array<std::int64_t, 2>{2, 2}));
  EXPECT_EQ(graph.nodes[2].window.stride, (std::array<std::int64_t, 2>{2, 2}));
  EXPECT_EQ(graph.nodes[3].window.padding, (std::array<std::int64_t, 2>{1, 1}));
  EXPECT_EQ(graph.nodes[3].window.groups, 2);
  EXPECT_TRUE(graph.nodes[3].bias.empty());
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
  const std::string ops = ": expected linear, conv2d, relu, max_pool2d, avg_pool2d, flatten or add, got ";
  const std::string outside = "; compute it outside of the exported model";
  const std::string float_layer = "; a float layer cannot be exported bit for bit: make it a QAT layer";
  const Tensor other = torch::randn({12, 12});
  const RefusedCase cases[] = {
      {"[export] after fc" + ops + "aten::softmax" + outside,
       [](Free& m, const Tensor& x) { return torch::softmax(m.fc(x), 1); }},
      {"[export] after the input" + ops + "aten::sigmoid" + outside,
       [](Free& m, const Tensor& x) { return m.fc(torch::sigmoid(x)); }},
      {"[export] after fc" + ops + "aten::cat" + outside,
       [](Free& m, const Tensor& x) {
         return torch::cat({m.fc(x), x}, 1);
       }},
      {"[export] after fc" + ops + "aten::matmul" + float_layer,
       [other](Free& m, const Tensor& x) { return torch::matmul(m.fc(x), other); }},
      {"[export] after fc: expected the sum of two computed tensors of one shape, got another add",
       [](Free& m, const Tensor& x) { return m.fc(x) + 1; }},
      {"[export] after fc: expected the sum of two computed tensors of one shape, got another add",
       [](Free& m, const Tensor& x) { return torch::add(m.fc(x), x, 2); }},
      {"[export] after fc: expected the sum of two computed tensors of one shape, got another add",
       [](Free& m, const Tensor& x) { return m.fc(x) + m.fc->bias; }},
      {"[export] after fc: expected aten::view to keep the batch and flatten the rest, got [3, 12] to [3, 3, "
       "4]",
       [](Free& m, const Tensor& x) {
         return m.fc(x).view({-1, 3, 4});
       }},
      {"[export] flatten_1: expected to flatten from dimension 1 or later to the last, got 0 to 1",
       [](Free& m, const Tensor& x) { return torch::flatten(m.fc(x)); }},
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

TEST_F(Convert, RefusesAveragesThatAreNotPlain) {
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
  for (const auto& pool :
       {average(true, true, std::nullopt), average(false, false, std::nullopt), average(false, true, 3)}) {
    model.pool = pool;
    EXPECT_EQ(error_of([&] {
                convert(model, torch::randn({2, 2, 5, 5}));
              }),
              "[export] avg_pool2d_1: expected ceil_mode false, count_include_pad true and no "
              "divisor_override, got another "
              "average; pad or crop before the pool");
  }
  model.pool = [](const Tensor& x) { return torch::adaptive_avg_pool2d(x, {1, 1}); };
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({2, 2, 5, 5}));
            }),
            "[export] after conv: expected linear, conv2d, relu, max_pool2d, avg_pool2d, flatten or add, got "
            "aten::adaptive_avg_pool2d; compute it outside of the exported model");
}

TEST_F(Convert, NamesAFloatLayerThatWasSkipped) {
  torch::nn::Sequential model(torch::nn::Linear(4, 4), torch::nn::ReLU(), torch::nn::Linear(4, 2));
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("2", skip);
  freeze(model, {1, 4}, config);
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({3, 4}));
            }),
            "[export] after relu_1: expected linear, conv2d, relu, max_pool2d, avg_pool2d, flatten or add, "
            "got aten::addmm; a "
            "float layer cannot be exported bit for bit: make it a QAT layer");
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
  const std::vector<std::int8_t> codes = quantized.graph().nodes[0].weight->codes;
  {
    const torch::NoGradGuard no_grad;
    model.fc1->weight.normal_();
  }
  EXPECT_EQ(quantized.graph().nodes[0].weight->codes, codes);
  quantized.save(folder_ / "old.samebits");
  EXPECT_GT(verify(model, folder_ / "old.samebits", {torch::randn({4, 12})}).differing, 0);
}

}  // namespace
}  // namespace samebits
