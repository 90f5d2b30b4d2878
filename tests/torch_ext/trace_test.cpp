// What readers are told of a trace: shapes and sizes in symbols, values in lists, tensors that are constants.
#include "torch_ext/graph/trace.h"

#include "tests/torch_ext/models.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits {
namespace {

using torch::Tensor;
using torch::jit::Node;

/// Any forward, with a parameter.
struct Any : torch::nn::Module {
  using Forward = std::function<Tensors(Any&, const Tensors&)>;
  Tensor scale = register_parameter("scale", torch::tensor({2.0f, 3.0f}));
  Forward run;
  explicit Any(Forward forward_of) : run(std::move(forward_of)) {}
  Tensors forward(const Tensors& inputs) { return run(*this, inputs); }
};

/// A model, its trace and a walk over it.
struct Walked {
  Any model;
  ModelRef ref;
  torch::NoGradGuard no_grad;
  TracedModel traced;
  TraceWalk walk;

  Walked(Any::Forward forward, const Tensors& examples, DynamicAxes axes = {})
      : model(std::move(forward)),
        ref{model, [this](const Tensors& inputs) { return model.forward(inputs); }, std::move(axes)},
        traced(trace(ref, examples)),
        walk(traced, ref) {}
  /// The first node of this kind.
  const Node* node(const std::string& kind) const {
    for (const Node* each : traced.graph->nodes())
      if (kind == each->kind().toQualString()) return each;
    return nullptr;
  }
  std::string shape(const std::string& kind) const {
    return graph::to_text(walk.shape_of(node(kind)->output(0)));
  }
  std::string sizes(const std::string& kind, std::size_t input) const {
    return graph::to_text(walk.dimensions(node(kind), input, "sizes"));
  }
};

class Trace : public ModelTest {};

TEST_F(Trace, TellsSizesOfTheBatchFromNumbers) {
  const Walked two(
      [](Any&, const Tensors& in) {
        const Tensor x = in[0];
        return Tensors{x.reshape({x.size(0), 6}), x.view({-1, 2, 3}).sum(2), x.flatten(0, 1).slice(0, 1, -1)};
      },
      {torch::randn({6, 2, 3})});  // batch, sizes and products all 6
  EXPECT_EQ(two.shape("aten::reshape"), "[batch, 6]");
  EXPECT_EQ(two.sizes("aten::reshape", 1), "[batch, 6]");
  EXPECT_EQ(two.sizes("aten::view", 1), "[-1, 2, 3]");
  EXPECT_EQ(two.shape("aten::sum"), "[batch, 2]");
  EXPECT_EQ(two.shape("aten::flatten"), "[2*batch, 3]");
  EXPECT_EQ(two.shape("aten::slice"), "[2*batch - 2, 3]");
}

TEST_F(Trace, TellsSequencesFromBatches) {
  const Walked four(
      [](Any&, const Tensors& in) {
        const Tensor x = in[0];
        const Tensor position = torch::arange(x.size(1)).reshape({1, x.size(1), 1});
        return Tensors{(x + position).permute({1, 0, 2}), x.reshape({x.size(0) * x.size(1), 2})};
      },
      {torch::randn({5, 5, 2})}, {.batch = {0}, .sequence = {1}});
  EXPECT_EQ(four.shape("aten::add"), "[batch, sequence, 2]");
  EXPECT_EQ(four.shape("aten::permute"), "[sequence, batch, 2]");
  EXPECT_EQ(graph::to_text(four.walk.dimension(four.node("aten::arange"), 0, "end")), "sequence");
  EXPECT_EQ(error_of([&] { four.shape("aten::reshape"); }).substr(0, 0), "");
  const Node* reshape = nullptr;
  for (const Node* each : four.traced.graph->nodes())
    if (std::string("aten::reshape") == each->kind().toQualString()) reshape = each;
  EXPECT_EQ(error_of([&] { four.walk.shape_of(reshape->output()); }),
            "[export] after the input: expected sizes that are numbers plus multiples of the batch and the "
            "sequence, got [25, 2], which follow them in another way");
  EXPECT_EQ(
      error_of([&] { four.walk.dimensions(reshape, 1, "sizes"); }),
      "[export] after the input: expected sizes of prim::ListConstruct to be a number plus multiples of "
      "the batch and the sequence, got another function of them");
}

TEST_F(Trace, GivesTheValuesOfListsAndTheResultsOfNodes) {
  const Walked lists(
      [](Any&, const Tensors& in) {
        const auto parts = in[0].split(1, 1);
        return Tensors{torch::cat({parts[1], in[1], parts[0]}, 1), std::get<1>(torch::max(in[1], 1))};
      },
      {torch::randn({3, 2}), torch::randn({3, 4})});
  const Node *split = lists.node("aten::split"), *cat = lists.node("aten::cat"),
             *max = lists.node("aten::max");
  const auto parts = lists.walk.results(split);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(lists.walk.values(cat, 0), (std::vector{parts[1], lists.traced.inputs[1], parts[0]}));
  EXPECT_EQ(lists.walk.results(max).size(), 2u);
  EXPECT_EQ(lists.walk.dtype_of(lists.traced.outputs[1]), torch::kLong);
  EXPECT_EQ(lists.traced.outputs.size(), 2u);
}

TEST_F(Trace, GivesTensorsThatAreNotComputedFromTheInput) {
  const Walked walked(
      [](Any& model, const Tensors& in) {
        const Tensor x = in[0], constant = torch::tensor({1.0f, -1.0f});
        return Tensors{x * (model.scale + constant).exp_().neg(), x + torch::ones({x.size(0), 1})};
      },
      {torch::randn({3, 2})});
  EXPECT_TRUE(same_bits(walked.walk.tensor(walked.node("aten::mul"), 1, "other"),
                        (torch::tensor({2.0f, 3.0f}) + torch::tensor({1.0f, -1.0f})).exp().neg()));
  EXPECT_TRUE(same_bits(walked.model.scale, torch::tensor({2.0f, 3.0f})));
  const Node* add = nullptr;
  for (const Node* each : walked.traced.graph->nodes())
    if (std::string("aten::add") == each->kind().toQualString()) add = each;
  const std::string hint =
      " to be a parameter, a constant or made of these alone, got what follows the input";
  EXPECT_EQ(error_of([&] { walked.walk.tensor(add, 1, "other"); }),
            "[export] after the input: expected other of aten::add" + hint);
  EXPECT_EQ(error_of([&] { walked.walk.tensor(add, 0, "self"); }),
            "[export] after the input: expected self of aten::add" + hint);
}

TEST_F(Trace, RefusesAConstantThatFollowsTheBatch) {
  const Walked walked(
      [](Any&, const Tensors& in) {
        return Tensors{in[0] / in[0].size(0), in[0].narrow(0, 0, in[0].size(0) - 1).reshape({-1, 1})};
      },
      {torch::randn({3, 2})});
  EXPECT_EQ(
      error_of([&] { walked.walk.constant<at::Scalar>(walked.node("aten::div"), 1, "divisor"); }),
      "[export] after the input: expected divisor of aten::div that do not follow the batch, got 3 for the "
      "example and another for another batch");
}

TEST_F(Trace, RefusesAxesThatAreNone) {
  const auto identity = [](Any&, const Tensors& in) { return in; };
  const auto error = [&](const Tensors& examples, DynamicAxes axes) {
    return error_of([&] { Walked(identity, examples, std::move(axes)); });
  };
  const Tensor x = torch::randn({3, 2});
  EXPECT_EQ(error({}, {}),
            "[trace] examples: expected tensors, the first of at least one dimension, got none");
  EXPECT_EQ(error({x, x}, {.batch = {0}}),
            "[trace] axes: expected one for each of the 2 inputs, got 1; write -1 where there is none");
  EXPECT_EQ(error({x}, {.batch = {0}, .sequence = {2}}),
            "[trace] axes: expected -1 or a dimension of [3, 2], got 2");
  EXPECT_EQ(error({x}, {.batch = {-1}}),
            "[trace] axes: expected a batch dimension in one of the inputs, got none");
  EXPECT_EQ(error({x, torch::randn({4, 2})}, {.batch = {0, 0}}),
            "[trace] examples: expected one size of the batch in all inputs, got 3 and 4");
}

}  // namespace
}  // namespace samebits
