// capture(): a graph computes what the model computes, bit for bit: forward, gradients, buffers, steps of an
// optimizer, at other batches, in eval mode; and shares the model's tensors.
#include "torch_ext/capture.h"

#include "tests/torch_ext/float_models.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/graph/program/program.h"

namespace samebits {
namespace {

using float_models::Case;
using torch::Tensor;

bool same(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  return !a.defined() || (a.scalar_type() == b.scalar_type() &&
                          (a.is_floating_point() ? same_bits(a, b) : torch::equal(a, b)));
}

/// Two models of the same values.
struct Pair {
  std::shared_ptr<torch::nn::Module> model, twin;
  explicit Pair(const Case& c) {
    torch::manual_seed(3);
    model = c.make();
    torch::manual_seed(3);
    twin = c.make();
  }
};

GraphModule captured(const Case& c, torch::nn::Module& model, std::int64_t batch) {
  return capture(ModelRef{model, [&](const Tensors& inputs) { return Tensors{c.forward(model, inputs[0])}; }},
                 {c.batch(batch)});
}

void expect_same_state(const torch::nn::Module& want, const torch::nn::Module& got) {
  const auto compare = [](const auto& wanted, const auto& given, const char* what) {
    ASSERT_EQ(wanted.keys(), given.keys());
    for (const auto& each : wanted)
      EXPECT_TRUE(same(each.value(), given[each.key()])) << what << " " << each.key();
  };
  compare(want.named_parameters(), got.named_parameters(), "parameter");
  compare(want.named_buffers(), got.named_buffers(), "buffer");
  for (const auto& each : want.named_parameters())
    EXPECT_TRUE(same(each.value().grad(), got.named_parameters()[each.key()].grad()))
        << "gradient of " << each.key();
}

/// Steps of SGD with momentum on the same batches, dropout drawing the same numbers.
template <class Forward>
std::vector<Tensor> train(torch::optim::Optimizer& optimizer, const std::vector<Tensor>& batches,
                          Forward forward) {
  torch::manual_seed(9);
  std::vector<Tensor> losses;
  for (const Tensor& batch : batches) {
    optimizer.zero_grad();
    losses.push_back(forward(batch).square().mean());
    losses.back().backward();
    optimizer.step();
  }
  return losses;
}

class Capture : public ModelTest, public testing::WithParamInterface<std::size_t> {
 protected:
  const Case c = float_models::all()[GetParam()];
};
INSTANTIATE_TEST_SUITE_P(Models, Capture, testing::Range<std::size_t>(0, 6),
                         [](const auto& info) { return float_models::all()[info.param].name; });

TEST_P(Capture, ComputesTheModelsBitsAtAnyBatchInEitherMode) {
  const Pair pair(c);
  GraphModule graph = captured(c, *pair.twin, 3);
  for (const bool training : {true, false})
    for (const std::int64_t n : {1, 3, 8}) {
      SCOPED_TRACE(testing::Message() << (training ? "training" : "eval") << ", batch of " << n);
      const Tensor x = c.batch(n == 1 && training ? 2 : n);
      pair.model->train(training);
      graph->train(training);
      torch::manual_seed(5);
      const Tensor want = c.forward(*pair.model, x);
      torch::manual_seed(5);
      const Tensor got = graph->forward(x);
      EXPECT_TRUE(same(want, got));
      pair.model->zero_grad();
      graph->zero_grad();
      want.square().mean().backward();
      got.square().mean().backward();
      expect_same_state(*pair.model, *graph);
    }
}

TEST_P(Capture, TrainsLikeTheModelWithAnOptimizerMadeBefore) {
  const Pair pair(c);
  std::vector<Tensor> batches;
  for (int i = 0; i < 5; ++i) batches.push_back(c.batch(4 + i));
  const auto options = torch::optim::SGDOptions(0.05).momentum(0.9);
  torch::optim::SGD optimizer(pair.model->parameters(), options),
      twin_optimizer(pair.twin->parameters(), options);
  GraphModule graph = captured(c, *pair.twin, 3);
  const auto want = train(optimizer, batches, [&](const Tensor& x) { return c.forward(*pair.model, x); });
  const auto got = train(twin_optimizer, batches, [&](const Tensor& x) { return graph->forward(x); });
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(same(want[i], got[i])) << "loss " << i;
  expect_same_state(*pair.model, *graph);
  expect_same_state(*pair.model, *pair.twin);
}

TEST_P(Capture, LeavesTheModelAsItWas) {
  const Pair pair(c);
  pair.twin->named_modules("", false).back().value()->eval();
  pair.model->named_modules("", false).back().value()->eval();
  torch::manual_seed(7);
  const Tensor expected = torch::rand({3});
  torch::manual_seed(7);
  const Tensor example = c.batch(3);
  torch::manual_seed(7);
  const GraphModule graph =
      capture(ModelRef{*pair.twin, [&](const Tensors& in) { return Tensors{c.forward(*pair.twin, in[0])}; }},
              {example});
  EXPECT_TRUE(same(torch::rand({3}), expected));
  expect_same_state(*pair.model, *pair.twin);
  expect_same_state(*pair.model, *graph);
  const auto modes = [](const torch::nn::Module& module) {
    std::vector<bool> all;
    for (const auto& each : module.named_modules()) all.push_back(each.value()->is_training());
    return all;
  };
  EXPECT_EQ(modes(*pair.model), modes(*pair.twin));
  EXPECT_EQ(modes(*pair.model), modes(*graph));
}

TEST_P(Capture, SavesAndLoadsAsTheModelDoes) {
  const Pair pair(c);
  GraphModule graph = captured(c, *pair.twin, 3);
  const std::string file = folder_ / "model.pt";
  for (Tensor& each : pair.model->parameters()) each.data().normal_();
  torch::save(pair.model, file);
  torch::load(graph, file);
  expect_same_state(*pair.model, *pair.twin);
  graph->save_state(folder_ / "state.safetensors");
  for (Tensor& each : graph->parameters()) each.data().zero_();
  graph->load_state(folder_ / "state.safetensors");
  expect_same_state(*pair.model, *graph);
}

class CaptureOf : public ModelTest {};

/// Any forward, with two layers.
struct Written : torch::nn::Module {
  using Forward = std::function<Tensors(Written&, const Tensors&)>;
  torch::nn::Linear a{6, 6}, b{6, 6};
  Tensor offset = register_buffer("offset", torch::zeros({6}));
  Forward run;
  explicit Written(Forward forward_of) : run(std::move(forward_of)) {
    register_module("a", a);
    register_module("b", b);
  }
  Tensors forward(const Tensors& inputs) { return run(*this, inputs); }
};

/// Compares the graph of a forward with it, at another batch, gradients included.
void expect_captured(Written::Forward forward, const Tensors& examples, const Tensors& inputs,
                     DynamicAxes axes = {}) {
  Written model(std::move(forward));
  GraphModule graph = capture(model, examples, std::move(axes));
  const Tensors want = model.forward(inputs), got = graph->forward(inputs);
  ASSERT_EQ(want.size(), got.size());
  Tensor want_sum = torch::zeros({}), got_sum = torch::zeros({});
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(same(want[i], got[i])) << "result " << i;
    if (!want[i].requires_grad()) continue;
    want_sum = want_sum + want[i].sum();
    got_sum = got_sum + got[i].sum();
  }
  const auto parameters = model.parameters();
  const auto gradients = [&](const Tensor& sum) {
    return sum.requires_grad() ? torch::autograd::grad({sum}, parameters, {}, std::nullopt, false, true)
                               : Tensors();
  };
  const Tensors want_grads = gradients(want_sum), got_grads = gradients(got_sum);
  ASSERT_EQ(want_grads.size(), got_grads.size());
  for (std::size_t i = 0; i < want_grads.size(); ++i) EXPECT_TRUE(same(want_grads[i], got_grads[i])) << i;
}

TEST_F(CaptureOf, TakesWhatForwardsAreMadeOf) {
  const Tensor x = torch::randn({3, 6}), y = torch::randn({5, 6});
  const std::vector<std::pair<const char*, Written::Forward>> cases = {
      {"sizes",
       [](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]).view({in[0].size(0), 2, 3}).flatten(1)};
       }},
      {"a size as a number",
       [](Written& m, const Tensors& in) { return Tensors{m.a(in[0]) / in[0].size(0) + in[0].numel()}; }},
      {"a size as an index",
       [](Written& m, const Tensors& in) { return Tensors{m.a(in[0])[in[0].size(0) - 1]}; }},
      {"new tensors",
       [](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]) + torch::arange(in[0].size(0)).unsqueeze(1) +
                        torch::ones({in[0].size(0), 1})};
       }},
      {"constants",
       [](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]) * torch::tensor({1, 2, 3, 4, 5, 6})};
       }},
      {"no gradients",
       [](Written& m, const Tensors& in) {
         Tensor scale;
         {
           const torch::NoGradGuard no_grad;
           scale = m.a(in[0]).abs().mean() * 0.3;
         }
         return Tensors{m.b(in[0]) / scale};
       }},
      {"detach", [](Written& m, const Tensors& in) { return Tensors{m.a(in[0]) * m.b(in[0]).detach()}; }},
      {"lists",
       [](Written& m, const Tensors& in) {
         const auto parts = m.a(in[0]).chunk(2, 1);
         return Tensors{torch::cat({parts[1], parts[0], in[0]}, 1), torch::stack(parts)};
       }},
      {"several results and integers",
       [](Written& m, const Tensors& in) {
         const auto [values, indices] = m.a(in[0]).topk(2);
         return Tensors{values, indices, in[0] > 0};
       }},
      {"masks",
       [](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]).masked_fill(in[0] < 0, -1e9).softmax(1)};
       }},
      {"in place on views",
       [](Written& m, const Tensors& in) {
         Tensor z = m.a(in[0]);
         z.select(1, 0).mul_(2);
         z.relu_();
         return Tensors{z};
       }},
      {"einsum and indices",
       [](Written& m, const Tensors& in) {
         return Tensors{torch::einsum("bi,ij->bj", {m.a(in[0]), m.b->weight}),
                        in[0].index_select(1, torch::tensor({1, 3}))};
       }},
      {"one layer twice",
       [](Written& m, const Tensors& in) { return Tensors{m.a(torch::relu(m.a(in[0])))}; }},
      {"the input itself",
       [](Written&, const Tensors& in) {
         return Tensors{in[0], in[0] + 1};
       }},
      {"a parameter", [](Written& m, const Tensors&) { return Tensors{m.a->weight}; }},
  };
  for (const auto& [name, forward] : cases) {
    SCOPED_TRACE(name);
    expect_captured(forward, {x}, {y});
  }
}

TEST_F(CaptureOf, TakesSeveralInputsAndFreeSequences) {
  const Written::Forward attend = [](Written& m, const Tensors& in) {
    const auto b = in[0].size(0), t = in[0].size(1);
    const Tensor flat = m.a(in[0].reshape({b * t, 6})).view({b, t, 6});
    const Tensor scores =
        torch::bmm(flat, in[1].transpose(1, 2)) + torch::triu(torch::ones({t, t}), 1) * -1e9;
    return Tensors{torch::bmm(scores.softmax(-1), m.b(in[1])) * in[2]};
  };
  const auto inputs = [](std::int64_t b, std::int64_t t) {
    return Tensors{torch::randn({b, t, 6}), torch::randn({b, t, 6}), torch::randn({6})};
  };
  expect_captured(attend, inputs(3, 5), inputs(4, 5));
  expect_captured(attend, inputs(3, 5), inputs(2, 9), {.batch = {0, 0, -1}, .sequence = {1, 1, -1}});
}

TEST_F(CaptureOf, RefusesWhatAGraphCannotSay) {
  const std::string advice =
      "; a branch on values or sizes does not show in a trace: write it without one (torch::where), or build "
      "the "
      "model of samebits modules (QATLinear, …), whose forward may branch while it trains";
  const std::string hidden =
      "; a trace does not show branches on values or on the mode, functions with a backward of their own, "
      "and "
      "writes to memory that it does not see";
  const struct {
    Written::Forward forward;
    std::string message;
  } cases[] = {
      {[](Written& m, const Tensors& in) {
         const Tensor y = m.a(in[0]);
         return Tensors{in[0].sum().item<float>() > 0 ? y.relu() : y.tanh()};
       },
       "[trace] after aten::addmm in a: expected the same operators for every input, got aten::relu for one "
       "and "
       "aten::tanh for another" +
           advice},
      {[](Written& m, const Tensors& in) { return Tensors{m.a(in[0]) * in[0].max().item<float>()}; },
       "[trace] aten::mul: expected constants that are the same for every input, got 1. and -1.; compute "
       "with tensors "
       "what depends on values or sizes (item() and numbers made of sizes are written down as they were)"},
      {[](Written& m, const Tensors& in) { return Tensors{m.is_training() ? m.a(in[0]) : m.b(in[0])}; },
       "[capture] model: expected the graph to give what the model gives in eval mode, got other bits for a "
       "batch of 4" +
           hidden},
      {[](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]).repeat({in[0].size(0) * in[0].size(0), 1})};
       },
       "[capture] model: expected the graph to give what the model gives in training mode, got other bits "
       "for a batch of "
       "4" +
           hidden},
      {[](Written& m, const Tensors& in) {
         return Tensors{m.a(in[0]).view({3, 6})};
       },
       "shape '[3, 6]' is invalid for input of size 30"},
  };
  for (const auto& c : cases) {
    Written model(c.forward);
    EXPECT_EQ(error_of([&] { capture(model, torch::ones({3, 6})); }), c.message);
  }
}

TEST_F(CaptureOf, NamesAnInputThatDoesNotFit) {
  Written model([](Written& m, const Tensors& in) { return Tensors{m.a(in[0]) + in[1]}; });
  GraphModule graph = capture(model, Tensors{torch::randn({3, 6}), torch::randn({3, 1})});
  EXPECT_EQ(error_of([&] {
              graph->forward(torch::randn({3, 6}));
            }),
            "[graph] forward: expected 2 inputs, got 1");
  EXPECT_EQ(error_of([&] {
              graph->forward(torch::randn({3, 6}), torch::randn({4, 1}));
            }),
            "[graph] input 2: expected [batch, 1], got [4, 1]");
  EXPECT_EQ(error_of([&] {
              graph->forward(torch::randn({3, 7}), torch::randn({3, 1}));
            }),
            "[graph] input 1: expected [batch, 6], got [3, 7]");
}

TEST_F(CaptureOf, FollowsDtypesModesOfSubmodulesAndClones) {
  const Case c = float_models::all()[0];
  const Pair pair(c);
  GraphModule graph = captured(c, *pair.twin, 3);
  pair.model->named_modules("", false)["bn"]->eval();  // frozen
  graph->named_modules("", false)["bn"]->eval();
  const Tensor x = c.batch(4);
  EXPECT_TRUE(same(c.forward(*pair.model, x), graph->forward(x)));
  expect_same_state(*pair.model, *graph);
  const auto copy = std::dynamic_pointer_cast<GraphModuleImpl>(graph->clone());
  pair.model->eval();
  copy->eval();
  graph->to(torch::kDouble);
  EXPECT_EQ(graph->forward(x.to(torch::kDouble)).scalar_type(), torch::kDouble);
  EXPECT_TRUE(same(c.forward(*pair.model, x), copy->forward(x)));
}

TEST_F(CaptureOf, TellsTheModuleOfEachOperator) {
  const Case c = float_models::all()[0];
  const auto model = c.make();
  const GraphModule graph = captured(c, *model, 2);
  std::vector<std::string> lines;
  for (const ProgramNode& node : graph->program().nodes) lines.push_back(node.op + " " + node.scope);
  EXPECT_THAT(lines, testing::IsSupersetOf({"aten::conv2d stem", "aten::batch_norm bn",
                                            "aten::conv2d blocks.0.conv1", "aten::relu blocks.0",
                                            "aten::batch_norm blocks.1.shortcut.1", "aten::addmm fc"}));
}

}  // namespace
}  // namespace samebits
