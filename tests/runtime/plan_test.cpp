// runtime/plan.h: what is folded and what is not, by hand and for random graphs, whose buffers are checked
// against the lifetimes of their values and whose results against the oracle.
#include "runtime/plan.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <map>

#include "runtime/interpreter.h"
#include "tests/graph/graphs.h"
#include "tests/runtime/interpreter_oracle.h"

namespace samebits::runtime {
namespace {

constexpr std::int64_t kSize = 5;  // images are kSize x kSize of kChannels
constexpr std::int64_t kChannels = 3;

/// A convolution that keeps the image's shape.
Node conv_node(const std::string& name, const std::string& input, std::mt19937& random) {
  Node node = layer_node(Op::kConv2d, name, input,
                         random_weight(kWeightKinds[1], {kChannels, kChannels, 3, 3}, random), random);
  node.window.padding = {1, 1};
  return node;
}
/// A max pool that keeps the image's shape.
Node pool_node(const std::string& name, const std::string& input) {
  return plain_node(Op::kMaxPool2d, name, {input}, {.kernel = {3, 3}, .padding = {1, 1}});
}
Node linear_node(const std::string& name, const std::string& input, std::int64_t features,
                 std::mt19937& random) {
  return layer_node(Op::kLinear, name, input, random_weight(kWeightKinds[3], {4, features}, random), random);
}

/// "conv.relu -> fc" for a step: its node, ".relu" when one is folded in, and the layer that reads its codes.
std::vector<std::string> steps_of(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Step& step : make_plan(graph, /*fold=*/true).steps)
    lines.push_back(graph.nodes[step.node].name + (step.relu ? ".relu" : "") +
                    (step.reader.has_value() ? " -> " + graph.nodes[*step.reader].name : ""));
  return lines;
}

/// A graph and the steps that it must have.
struct PlanCase {
  const char* why;
  std::vector<Node> nodes;
  std::string output;
  std::vector<std::string> steps;
};
std::vector<PlanCase> plan_cases() {
  std::mt19937 random(3);
  const Node a = conv_node("a", "x", random), b = conv_node("b", "a.y", random);
  const auto conv = [&](const std::string& name, const std::string& input) {
    return conv_node(name, input, random);
  };
  const auto relu = [](const std::string& name, const std::string& input) {
    return plain_node(Op::kRelu, name, {input});
  };
  const Node flatten = plain_node(Op::kFlatten, "flatten", {"pool.y"});
  const Node average = plain_node(Op::kAvgPool2d, "avg", {"a.y"}, {.kernel = {3, 3}, .padding = {1, 1}});
  return {
      {"a layer hands codes to the next", {a, b}, "b.y", {"a -> b", "b"}},
      {"a relu goes into the layer in front of it", {a, relu("r", "a.y")}, "r.y", {"a.relu"}},
      {"relu, pool and flatten work on codes",
       {a, relu("r", "a.y"), pool_node("pool", "r.y"), flatten,
        linear_node("fc", "flatten.y", kChannels * kSize * kSize, random)},
       "fc.y",
       {"a.relu -> fc", "pool -> fc", "flatten -> fc", "fc"}},
      {"a second relu stays a step of its own",
       {a, relu("r", "a.y"), relu("s", "r.y"), conv("c", "s.y")},
       "c.y",
       {"a.relu -> c", "s -> c", "c"}},
      {"a relu behind a pool stays",
       {a, pool_node("pool", "a.y"), relu("r", "pool.y"), conv("c", "r.y")},
       "c.y",
       {"a -> c", "pool -> c", "r -> c", "c"}},
      {"an average is no code", {a, average, conv("c", "avg.y")}, "c.y", {"a", "avg", "c"}},
      {"two layers read a value: their grids differ",
       {a, conv("c", "a.y"), conv("d", "a.y"), plain_node(Op::kAdd, "add", {"c.y", "d.y"})},
       "add.y",
       {"a", "c", "d", "add"}},
      {"a relu and a layer read a value",
       {a, relu("r", "a.y"), conv("c", "a.y"), plain_node(Op::kAdd, "add", {"c.y", "r.y"})},
       "add.y",
       {"a", "r", "c", "add"}},
      {"a value that is read behind its relu only by an addition",
       {a, relu("r", "a.y"), plain_node(Op::kAdd, "add", {"r.y", "x"}), conv("c", "add.y")},
       "c.y",
       {"a.relu", "add", "c"}},
      {"an addition of a value to itself reads it twice",
       {a, plain_node(Op::kAdd, "add", {"a.y", "a.y"})},
       "add.y",
       {"a", "add"}},
      {"the output is wanted as it is: before the relu",
       {a, relu("r", "a.y"), conv("c", "r.y")},
       "a.y",
       {"a", "r", "c"}},
      {"the output is wanted as it is: before the layer",
       {a, relu("r", "a.y"), conv("c", "r.y")},
       "r.y",
       {"a.relu", "c"}},
      {"the output is wanted as it is: a pool before the layer",
       {a, pool_node("pool", "a.y"), conv("c", "pool.y")},
       "pool.y",
       {"a", "pool", "c"}},
      {"the input has no layer in front", {relu("r", "x"), conv("c", "r.y")}, "c.y", {"r", "c"}},
  };
}

Graph graph_of_case(const PlanCase& c) {
  Graph graph = graph_of({-1, kChannels, kSize, kSize}, c.nodes);
  graph.output = c.output;
  return graph;
}

Array random_images(const Graph& graph, std::int64_t batch, std::mt19937& random) {
  Array x{graph.input_shape, random_floats(batch * kChannels * kSize * kSize, random)};
  x.shape[0] = batch;
  for (std::size_t i = 0; i < x.values.size(); i += 13) x.values[i] *= 50;
  return x;
}

/// The result of the folded plan has the oracle's bits.
void expect_as_oracle(const Graph& graph, std::mt19937& random) {
  const Array x = random_images(graph, 2, random);
  const Array expected = oracle::run(graph, x).at(graph.output);
  for (const int threads : {1, 3}) {
    const Array got = Interpreter(graph, threads).run(x);
    ASSERT_EQ(got.shape, expected.shape);
    for (std::size_t i = 0; i < expected.values.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got.values[i]), std::bit_cast<std::uint32_t>(expected.values[i]))
          << "element " << i << " with " << threads << " threads";
  }
}

TEST(Plan, FoldsWhatOneReaderAllows) {
  std::mt19937 random(4);
  for (const PlanCase& c : plan_cases()) {
    SCOPED_TRACE(c.why);
    const Graph graph = graph_of_case(c);
    EXPECT_EQ(steps_of(graph), c.steps);
    expect_as_oracle(graph, random);
  }
}

TEST(Plan, HasAStepForEachNodeWhenNothingIsFolded) {
  for (const PlanCase& c : plan_cases()) {
    SCOPED_TRACE(c.why);
    const Plan plan = make_plan(graph_of_case(c), /*fold=*/false);
    ASSERT_EQ(plan.steps.size(), c.nodes.size());
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      EXPECT_EQ(plan.steps[i].node, i);
      EXPECT_EQ(plan.steps[i].output, i + 1);
      EXPECT_FALSE(plan.steps[i].relu || plan.steps[i].reader.has_value());
    }
  }
}

std::string node_name(std::size_t index) {
  std::string name = "n";
  name += std::to_string(index);
  return name;
}

/// Up to 12 nodes, each on any values that there are, and any of them as the output.
Graph random_graph(std::mt19937& random) {
  std::vector<std::string> values = {"x"};
  std::vector<Node> nodes;
  const auto below = [&](std::size_t n) { return random() % n; };
  const auto any_value = [&] {  // the newest one half of the time
    return below(2) == 0 ? values.back() : values[below(values.size())];
  };
  const std::size_t count = 1 + below(12);
  while (nodes.size() < count) {
    const std::string name = node_name(nodes.size());
    switch (below(6)) {
      case 0:
      case 1:
        nodes.push_back(conv_node(name, any_value(), random));
        break;
      case 2:
      case 3:
        nodes.push_back(plain_node(Op::kRelu, name, {any_value()}));
        break;
      case 4:
        nodes.push_back(pool_node(name, any_value()));
        break;
      default:
        nodes.push_back(plain_node(Op::kAdd, name, {any_value(), any_value()}));
    }
    values.push_back(nodes.back().output);
  }
  Graph graph = graph_of({-1, kChannels, kSize, kSize}, nodes);
  if (below(3) == 0) graph.output = values[below(values.size())];
  return graph;
}

/// Reads of every value by name, the graph's output counted as one.
std::map<std::string, int> reads_of(const Graph& graph) {
  std::map<std::string, int> reads;
  for (const Node& node : graph.nodes)
    for (const std::string& input : node.inputs) ++reads[input];
  ++reads[graph.output];
  return reads;
}

void expect_sound_folds(const Graph& graph, const Plan& plan) {
  std::map<std::string, int> reads = reads_of(graph);
  std::vector<int> times(graph.nodes.size(), 0);
  for (const Step& step : plan.steps) {
    const Node& node = graph.nodes[step.node];
    ++times[step.node];
    if (step.relu) {
      EXPECT_TRUE(is_layer(node.op));
      EXPECT_EQ(graph.nodes[step.output - 1].op, Op::kRelu);
      EXPECT_EQ(graph.nodes[step.output - 1].inputs.front(), node.output);
      EXPECT_EQ(reads[node.output], 1) << node.name;
      ++times[step.output - 1];
    } else {
      EXPECT_EQ(step.output, step.node + 1);
    }
    if (!step.reader.has_value()) continue;
    EXPECT_TRUE(is_layer(graph.nodes[*step.reader].op));
    EXPECT_EQ(reads[graph.nodes[step.output - 1].output], 1) << node.name;
  }
  EXPECT_THAT(times, testing::Each(1));
}

/// No step writes where a value lies that it or a later step reads, or that is the result.
void expect_sound_buffers(const Plan& plan) {
  for (std::size_t writer = 0; writer < plan.steps.size(); ++writer) {
    const std::size_t written = plan.steps[writer].output;
    ASSERT_LT(plan.buffer[written], plan.buffers);
    for (std::size_t earlier = 0; earlier < writer; ++earlier) {
      const std::size_t slot = plan.steps[earlier].output;
      const bool is_alive =
          slot == plan.output ||
          std::any_of(plan.steps.begin() + static_cast<std::ptrdiff_t>(writer), plan.steps.end(),
                      [&](const Step& step) {
                        return std::count(step.inputs.begin(), step.inputs.end(), slot) != 0;
                      });
      if (is_alive) {
        EXPECT_NE(plan.buffer[slot], plan.buffer[written]) << "slots " << slot << " and " << written;
      }
    }
  }
}

TEST(Plan, NeverSharesABufferAmongValuesThatLiveNorFoldsWhatTwoRead) {
  std::mt19937 random(5);
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(testing::Message() << "graph " << round);
    const Graph graph = random_graph(random);
    for (const bool fold : {false, true}) {
      const Plan plan = make_plan(graph, fold);
      expect_sound_folds(graph, plan);
      expect_sound_buffers(plan);
    }
  }
}

TEST(Plan, ReusesBuffersOfAChain) {
  std::mt19937 random(6);
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < 10; ++i)
    nodes.push_back(conv_node(node_name(i), i == 0 ? "x" : nodes.back().output, random));
  for (const bool fold : {false, true})
    EXPECT_EQ(make_plan(graph_of({-1, kChannels, kSize, kSize}, nodes), fold).buffers, 2u);
}

TEST(Plan, GivesRandomGraphsTheOraclesBits) {
  std::mt19937 random(7);
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE(testing::Message() << "graph " << round);
    expect_as_oracle(random_graph(random), random);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace samebits::runtime
