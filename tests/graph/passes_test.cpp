// graph/passes/: what is removed, and what may run on codes. That the results stay the same is shown by
// tests/runtime/schedule_test.cpp.
#include <gmock/gmock.h>

#include "graph/ops/lookup/index_select.h"
#include "graph/ops/shape/cat.h"
#include "graph/ops/shape/pad.h"
#include "graph/ops/shape/permute.h"
#include "graph/ops/shape/reshape.h"
#include "graph/ops/shape/slice.h"
#include "graph/passes/code_chains.h"
#include "graph/passes/dead_code.h"
#include "tests/graph/graphs.h"

namespace samebits::graph {
namespace {

using testing::ElementsAre;

Graph branches() {
  std::mt19937 random(1);
  return graph_of({2, 5, 5}, {node_of("unused", Relu{}, {"x"}),
                              node_of("a", random_conv(kWeightKinds[1], {2, 2, 1, 1}, random), {"x"}),
                              node_of("r", Relu{}, {"a.y"}), node_of("behind unused", Relu{}, {"unused.y"}),
                              node_of("pool", MaxPool2d{}, {"r.y"}),
                              node_of("b", random_conv(kWeightKinds[1], {2, 2, 1, 1}, random), {"pool.y"}),
                              node_of("unread", Add{}, {"b.y", "a.y"})});
}

TEST(DeadCode, IsWhatNoResultDependsOn) {
  Graph graph = branches();
  graph.outputs = {"b.y"};
  EXPECT_THAT(needed_nodes(graph, wiring_of(graph)),
              ElementsAre(false, true, true, false, true, true, false));
  remove_dead_code(graph);
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("a", "r", "pool", "b"));
  check(graph);
  graph.outputs = {"x"};
  remove_dead_code(graph);
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(graph.inputs.size(), 1u);
}

TEST(DeadCode, KeepsWhatAnyOfSeveralResultsNeeds) {
  Graph graph = branches();
  graph.outputs = {"behind unused.y", "r.y"};
  EXPECT_THAT(needed_nodes(graph, wiring_of(graph)),
              ElementsAre(true, true, true, true, false, false, false));
}

TEST(CodeChains, LeadFromALayerThroughWhatKeepsOrderToTheOneThatReads) {
  Graph graph = branches();
  graph.outputs = {"b.y"};
  remove_dead_code(graph);
  const Wiring wiring = wiring_of(graph);
  const std::vector<bool> fused = fused_relus(graph, wiring);
  EXPECT_THAT(fused, ElementsAre(true, false, false, false));
  const std::optional<std::size_t> b = 3, none;
  EXPECT_THAT(code_readers(graph, wiring, fused),
              ElementsAre(none, none, b, b, none));  // x, a.y, r.y, pool.y, b.y
}

TEST(CodeChains, EndWhereAValueIsReadTwiceOrIsAResult) {
  Graph graph = branches();
  graph.outputs = {"unread.y", "pool.y"};
  const Wiring wiring = wiring_of(graph);
  EXPECT_THAT(fused_relus(graph, wiring), testing::Each(false));  // a.y is read by the addition too
  EXPECT_THAT(code_readers(graph, wiring, fused_relus(graph, wiring)), testing::Each(std::nullopt));
}

/// Two layers whose outputs `joined` puts together, in front of a third.
Graph joined(const std::vector<std::string>& inputs) {
  std::mt19937 random(2);
  const auto conv = [&](const std::string& name, std::int64_t in, const std::string& input) {
    return node_of(name, random_conv(kWeightKinds[1], {2, in, 1, 1}, random), {input});
  };
  return graph_of({2, 5, 5},
                  {conv("a", 2, "x"), conv("b", 2, "x"), node_of("relu", Relu{}, {"b.y"}),
                   node_of("cat", Cat{1}, inputs), node_of("pad", Pad{{0, 0, 1, 1}, {0, 0, 1, 1}}, {"cat.y"}),
                   conv("c", 2 * static_cast<std::int64_t>(inputs.size()), "pad.y")});
}
/// The names of the values that are codes.
std::vector<std::string> codes_of(const Graph& graph) {
  check(graph);
  const Wiring wiring = wiring_of(graph);
  const auto readers = code_readers(graph, wiring, fused_relus(graph, wiring));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (readers[wiring.outputs[i][0]].has_value()) names.push_back(graph.nodes[i].outputs[0]);
  return names;
}

TEST(CodeChains, LeadThroughSeveralInputsWhereAllOfThemAreCodes) {
  EXPECT_THAT(codes_of(joined({"a.y", "relu.y"})), ElementsAre("a.y", "relu.y", "cat.y", "pad.y"));
  EXPECT_THAT(codes_of(joined({"a.y", "x"})), ElementsAre());    // x is floats
  EXPECT_THAT(codes_of(joined({"a.y", "a.y"})), ElementsAre());  // read twice
  EXPECT_THAT(codes_of(joined({"a.y", "b.y"})), ElementsAre());  // the relu reads b.y too
}

TEST(CodeChains, LeadThroughWhatMovesElementsButNotThroughItsIndex) {
  std::mt19937 random(3);
  Graph graph = graph_of(
      {4}, {node_of("a", random_linear(kWeightKinds[1], 6, 4, random), {"x"}),
            node_of("r", Reshape{{kBatch, 2, 3}}, {"a.y"}), node_of("p", Permute{{0, 2, 1}}, {"r.y"}),
            node_of("i", IndexSelect{1}, {"p.y", "index"}), node_of("s", Slice{1, 0, 1}, {"i.y"}),
            node_of("b", random_linear(kWeightKinds[1], 3, 2, random), {"s.y"})});
  graph.inputs.push_back({"index", {Dtype::kInt64, {3}}});
  EXPECT_THAT(codes_of(graph), ElementsAre("a.y", "r.y", "p.y", "i.y", "s.y"));
}

TEST(Wiring, NumbersInputsFirstAndThenOutputsInOrder) {
  Graph graph = graph_of_everything();
  const Wiring wiring = wiring_of(graph);
  EXPECT_EQ(wiring.writer.size(), graph.inputs.size() + graph.nodes.size());
  EXPECT_EQ(wiring.writer[0], std::nullopt);
  EXPECT_EQ(wiring.writer[2], 0u);
  EXPECT_THAT(wiring.inputs[3], ElementsAre(4u, 3u));  // add: of block.conv2 and relu
  EXPECT_THAT(wiring.readers[3], ElementsAre(2u, 3u));
  EXPECT_THAT(wiring.results, ElementsAre(wiring.writer.size() - 1, 5u));
  EXPECT_EQ(wiring.only_reader(5), std::nullopt);  // add.y, a result
  EXPECT_EQ(wiring.only_reader(2), 1u);
}

}  // namespace
}  // namespace samebits::graph
