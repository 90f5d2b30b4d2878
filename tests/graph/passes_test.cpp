// graph/passes/: what is removed, and what may run on codes. That the results stay the same is shown by
// tests/runtime/schedule_test.cpp.
#include <gmock/gmock.h>

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
