// runtime/ops/: every case of tests/graph/op_cases.h has the oracle's bits, on floats and, where the operator
// keeps order, on the codes of a chain.
#include <gmock/gmock.h>

#include "tests/runtime/arrays.h"

namespace samebits::runtime {
namespace {

using graph::Graph;
using graph::Node;

TEST(Ops, HaveTheOraclesBitsAtAnyBatchAndThreadCount) {
  for (const graph::OpRow& row : graph::op_rows())
    for (const graph::OpCase& c : row.cases) {
      SCOPED_TRACE(row.op + (": " + c.name));
      std::vector<std::int64_t> limits;
      for (const graph::InputKind& kind : c.kinds) limits.push_back(kind.limit);
      expect_as_oracle(graph_of(row, c), limits);
      if (testing::Test::HasFatalFailure()) return;
    }
}

/// The case between a layer in front of it and a layer that reads it. `has_factors`: of the channels in
/// front, of either sign: a layer need not keep the order of anything for those behind it to work on codes.
Graph between_layers(const graph::OpRow& row, const graph::OpCase& c, bool has_factors) {
  std::mt19937 random(3);
  Graph graph = graph_of(row, c);
  Node op = graph.nodes[0];
  op.inputs = {"front.y"};
  const graph::Sizes& in = c.inputs[0];
  const graph::Shape out = graph::checked_types(graph).back().shape;
  const auto with_factors = [&](auto layer, std::int64_t channels) {
    if (has_factors) layer.channel_scale = graph::random_factors(channels, random);
    return graph::node_of("front", layer, {"x"});
  };
  const auto front =
      in.size() == 3
          ? with_factors(random_conv(graph::kWeightKinds[1], {in[0], in[0], 1, 1}, random), in[0])
          : with_factors(random_linear(graph::kWeightKinds[1], in.back(), in.back(), random), in.back());
  graph.nodes = {
      front, op,
      graph::node_of("behind", random_linear(graph::kWeightKinds[1], 4, out.back().offset, random), {"y"})};
  graph.outputs = {"behind.y"};
  return graph;
}

TEST(Ops, ThatKeepOrderHaveTheOraclesBitsOnCodesToo) {
  for (const graph::OpRow& row : graph::op_rows()) {
    if (!graph::find_operator(row.op)->keeps_order) continue;
    for (const graph::OpCase& c : row.cases) {
      if (c.inputs.size() != 1 || !c.kinds.empty()) continue;
      if (!graph::checked_types(graph_of(row, c)).back().shape.back().is_number())
        continue;  // no layer reads it
      SCOPED_TRACE(row.op + (": " + c.name));
      for (const bool has_factors : {false, true}) expect_as_oracle(between_layers(row, c, has_factors));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Ops, ThatJoinAndMoveHaveTheOraclesBitsOnTheCodesOfTwoLayers) {
  std::mt19937 random(4);
  const auto conv = [&](const std::string& name, const graph::Sizes& weight, const std::string& input) {
    return graph::node_of(name, random_conv(graph::kWeightKinds[1], weight, random), {input});
  };
  const graph::Pad kPads[] = {{{0, 0, 1, 2}, {0, 0, 0, 1}, graph::PadMode::kConstant, 0.7f},
                              {{0, 0, 1, 2}, {0, 0, 0, 1}, graph::PadMode::kReflect},
                              {{0, 1, 0, 0}, {0, 0, 0, 0}, graph::PadMode::kConstant, -1e30f}};
  for (const graph::Pad& pad : kPads) {
    const std::int64_t channels = 7 + pad.before[1];
    Graph graph =
        graph::graph_of({3, 4, 5}, {conv("a", {4, 3, 1, 1}, "x"), conv("b", {3, 3, 1, 1}, "x"),
                                    graph::node_of("relu", graph::Relu{}, {"b.y"}),
                                    graph::node_of("cat", graph::Cat{1}, {"a.y", "relu.y"}),
                                    graph::node_of("pad", pad, {"cat.y"}),
                                    graph::node_of("pick", graph::IndexSelect{1}, {"pad.y", "index"}),
                                    conv("c", {2, channels, 1, 1}, "pick.y")});
    graph.inputs.push_back({"index", {graph::Dtype::kInt64, {channels}}});
    expect_as_oracle(graph, {1, channels});
  }
}

}  // namespace
}  // namespace samebits::runtime
