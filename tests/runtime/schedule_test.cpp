// runtime/schedule.h: what is folded and what is not, by hand and for random graphs, whose results are
// checked against the oracle.
#include "runtime/schedule.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <map>

#include "graph/ops/elementwise/relu.h"
#include "runtime/interpreter.h"
#include "tests/runtime/arrays.h"

namespace samebits::runtime {
namespace {

using graph::Graph;
using graph::graph_of;
using graph::is_layer;
using graph::kWeightKinds;
using graph::Node;
using graph::node_of;
using graph::Relu;

constexpr std::int64_t kSize = 5;  // images are kSize x kSize of kChannels
constexpr std::int64_t kChannels = 3;

/// A convolution that keeps the image's shape.
Node conv_node(const std::string& name, const std::string& input, std::mt19937& random) {
  graph::Conv2d conv = random_conv(kWeightKinds[1], {kChannels, kChannels, 3, 3}, random);
  conv.padding = {1, 1};
  return node_of(name, std::move(conv), {input});
}
/// A max pool that keeps the image's shape.
Node pool_node(const std::string& name, const std::string& input) {
  return node_of(name, graph::MaxPool2d{.kernel = {3, 3}, .padding = {1, 1}}, {input});
}
Node linear_node(const std::string& name, const std::string& input, std::int64_t features,
                 std::mt19937& random) {
  return node_of(name, random_linear(kWeightKinds[3], 4, features, random), {input});
}
Node add_node(const std::string& name, const std::string& a, const std::string& b) {
  return node_of(name, graph::Add{}, {a, b});
}

/// "conv.relu -> fc" for a step: its node, ".relu" when one is folded in, and the layer that reads its codes.
std::vector<std::string> steps_of(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Step& step : make_schedule(graph, /*fold=*/true).steps)
    lines.push_back(graph.nodes[step.node].name + (step.relu ? ".relu" : "") +
                    (step.reader.has_value() ? " -> " + graph.nodes[*step.reader].name : ""));
  return lines;
}

/// A graph and the steps that it must have.
struct ScheduleCase {
  const char* why;
  std::vector<Node> nodes;
  std::string output;
  std::vector<std::string> steps;
};
std::vector<ScheduleCase> schedule_cases() {
  std::mt19937 random(3);
  const Node a = conv_node("a", "x", random), b = conv_node("b", "a.y", random);
  const auto conv = [&](const std::string& name, const std::string& input) {
    return conv_node(name, input, random);
  };
  const auto relu = [](const std::string& name, const std::string& input) {
    return node_of(name, Relu{}, {input});
  };
  const Node flatten = node_of("flatten", graph::Flatten{}, {"pool.y"});
  const Node average = node_of("avg", graph::AvgPool2d{.kernel = {3, 3}, .padding = {1, 1}}, {"a.y"});
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
       {a, conv("c", "a.y"), conv("d", "a.y"), add_node("add", "c.y", "d.y")},
       "add.y",
       {"a", "c", "d", "add"}},
      {"a relu and a layer read a value",
       {a, relu("r", "a.y"), conv("c", "a.y"), add_node("add", "c.y", "r.y")},
       "add.y",
       {"a", "r", "c", "add"}},
      {"a value that is read behind its relu only by an addition",
       {a, relu("r", "a.y"), add_node("add", "r.y", "x"), conv("c", "add.y")},
       "c.y",
       {"a.relu", "add", "c"}},
      {"an addition of a value to itself reads it twice",
       {a, add_node("add", "a.y", "a.y")},
       "add.y",
       {"a", "add"}},
      {"the output is wanted as it is: before the relu",
       {a, relu("r", "a.y"), conv("c", "r.y")},
       "a.y",
       {"a"}},
      {"the output is wanted as it is: before the layer",
       {a, relu("r", "a.y"), conv("c", "r.y")},
       "r.y",
       {"a.relu"}},
      {"the output is wanted as it is: a pool before the layer",
       {a, pool_node("pool", "a.y"), conv("c", "pool.y")},
       "pool.y",
       {"a", "pool"}},
      {"the input has no layer in front", {relu("r", "x"), conv("c", "r.y")}, "c.y", {"r", "c"}},
  };
}

Graph graph_of_case(const ScheduleCase& c) {
  Graph graph = graph_of({kChannels, kSize, kSize}, c.nodes);
  graph.outputs = {c.output};
  return graph;
}

TEST(Schedule, FoldsWhatOneReaderAllows) {
  for (const ScheduleCase& c : schedule_cases()) {
    SCOPED_TRACE(c.why);
    const Graph graph = graph_of_case(c);
    EXPECT_EQ(steps_of(graph), c.steps);
    expect_as_oracle(graph);
  }
}

TEST(Schedule, HasAStepForEachNodeWhenNothingIsFolded) {
  for (const ScheduleCase& c : schedule_cases()) {
    SCOPED_TRACE(c.why);
    const Schedule schedule = make_schedule(graph_of_case(c), /*fold=*/false);
    ASSERT_EQ(schedule.steps.size(), c.nodes.size());
    for (std::size_t i = 0; i < schedule.steps.size(); ++i) {
      EXPECT_EQ(schedule.steps[i].node, i);
      EXPECT_EQ(schedule.steps[i].outputs, std::vector{i + 1});
      EXPECT_FALSE(schedule.steps[i].relu || schedule.steps[i].reader.has_value());
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
        nodes.push_back(node_of(name, Relu{}, {any_value()}));
        break;
      case 4:
        nodes.push_back(pool_node(name, any_value()));
        break;
      default:
        nodes.push_back(add_node(name, any_value(), any_value()));
    }
    values.push_back(nodes.back().outputs[0]);
  }
  Graph graph = graph_of({kChannels, kSize, kSize}, nodes);
  if (below(3) == 0) graph.outputs = {values[below(values.size())], values[below(values.size())]};
  return graph;
}

/// Reads of every value by name, the graph's output counted as one.
std::map<std::string, int> reads_of(const Graph& graph) {
  std::map<std::string, int> reads;
  for (const Node& node : graph.nodes)
    for (const std::string& input : node.inputs) ++reads[input];
  for (const std::string& output : graph.outputs) ++reads[output];
  return reads;
}

void expect_sound_folds(const Graph& graph, const Schedule& schedule) {
  std::map<std::string, int> reads = reads_of(graph);
  std::vector<int> times(graph.nodes.size(), 0);
  for (const Step& step : schedule.steps) {
    const Node& node = graph.nodes[step.node];
    ++times[step.node];
    if (step.relu) {
      EXPECT_TRUE(is_layer(node));
      EXPECT_TRUE(graph::is_a<Relu>(graph.nodes[step.outputs[0] - 1]));
      EXPECT_EQ(graph.nodes[step.outputs[0] - 1].inputs.front(), node.outputs[0]);
      EXPECT_EQ(reads[node.outputs[0]], 1) << node.name;
      ++times[step.outputs[0] - 1];
    } else {
      EXPECT_EQ(step.outputs, std::vector{step.node + 1});
    }
    if (!step.reader.has_value()) continue;
    EXPECT_TRUE(is_layer(graph.nodes[*step.reader]));
    EXPECT_EQ(reads[graph.nodes[step.outputs[0] - 1].outputs[0]], 1) << node.name;
  }
  EXPECT_THAT(times, testing::Each(testing::Le(1)));
}

TEST(Schedule, NeverFoldsWhatTwoRead) {
  std::mt19937 random(5);
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(testing::Message() << "graph " << round);
    const Graph graph = random_graph(random);
    for (const bool fold : {false, true}) expect_sound_folds(graph, make_schedule(graph, fold));
  }
}

TEST(Schedule, GivesRandomGraphsTheOraclesBits) {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(testing::Message() << "graph " << round);
    expect_as_oracle(random_graph(random));
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace samebits::runtime
