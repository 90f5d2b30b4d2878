// Models of linear layers, for formats that hold nothing else.
#pragma once

#include "tests/graph/op_cases.h"

namespace samebits {

/// Layers of 48 features in a row, one of each weight kind of tests/graph/graphs.h, with a relu and a float
/// layer among them.
inline graph::Graph linears() {
  std::mt19937 random(9);
  std::vector<graph::Node> nodes;
  std::string value = "x";
  const auto add = [&](const std::string& name, auto attributes) {
    nodes.push_back(graph::node_of(name, std::move(attributes), {value}));
    value = nodes.back().outputs[0];
  };
  for (const graph::WeightKind& kind : graph::kWeightKinds) {
    graph::Linear linear = graph::random_linear(kind, 48, 48, random);
    if (nodes.size() % 2 == 0) linear.bias.clear();
    if (nodes.size() % 3 == 0) linear.input_grid.zero_point = 0;
    if (nodes.size() == 4) linear.input_grid = {0.25f, 3, -8, 7};
    add("block.fc" + std::to_string(nodes.size()), linear);
  }
  add("act", graph::Relu{});
  add("head", graph::FloatLinear{graph::random_tensor({5, 48}, random), graph::random_floats(5, random)});
  graph::Graph graph = graph::graph_of({48}, std::move(nodes));
  graph.name = "linears";
  return graph;
}

/// Layers of 64 features whose grids GGUF has: blocks of 32, float16 scales, and of zero points float16
/// minima.
inline graph::Graph gguf_linears() {
  constexpr graph::WeightKind kKinds[] = {
      {"Q8_0", 8, 32, false, true},
      {"Q4_0", 4, 32, false, true},
      {"Q4_1", 4, 32, false, false},
      {"Q8_0 of channels", 8, 0, false, true},
      {"Q4_0 of a tensor", 4, 0, true, true},
      {"Q8_0 of 6 bits in groups of 64", 6, 64, false, true},
      {"Q4_1 of 2 bits", 2, 32, false, false},
  };
  std::mt19937 random(10);
  std::uniform_int_distribution<int> steps(1, 127);
  std::vector<graph::Node> nodes;
  std::string value = "x";
  for (const graph::WeightKind& kind : kKinds) {
    graph::Linear linear = graph::random_linear(kind, 64, 64, random);
    // 7 bits, which with a zero point become 11 at most: what a float16 has.
    for (float& scale : linear.weight.scale) scale = static_cast<float>(steps(random)) * 0x1p-12f;
    nodes.push_back(graph::node_of("fc" + std::to_string(nodes.size()), std::move(linear), {value}));
    value = nodes.back().outputs[0];
  }
  nodes.push_back(
      graph::node_of("head", graph::FloatLinear{graph::random_tensor({5, 64}, random), {}}, {value}));
  graph::Graph graph = graph::graph_of({64}, std::move(nodes));
  graph.name = "gguf_linears";
  return graph;
}

/// The model of tests/data/golden.{npz,safetensors,compressed,gguf,h.txt}: what stands there is written
/// byte for byte.
inline graph::Graph golden_exports() {
  graph::Linear fc;
  fc.input_grid = {0.5f, -3, -128, 127};
  fc.weight.encoding = {.bits = 4,
                        .qmin = -8,
                        .qmax = 7,
                        .symmetric = false,
                        .granularity = quant::Granularity::kPerGroup,
                        .group_size = 32};
  fc.weight.shape = {2, 64};
  for (int i = 0; i < 128; ++i) fc.weight.codes.push_back(static_cast<std::int8_t>(i % 16 - 8));
  fc.weight.scale = {0.5f, 0.25f, 0.375f, 1.0f};
  fc.weight.zero_point = {0, -1, 7, -8};
  fc.bias = {1.5f, -0.25f};
  const graph::FloatTensor head{{1, 2}, {0.1f, -2.0f}};
  graph::Graph graph =
      graph::graph_of({64}, {graph::node_of("fc", fc, {"x"}), graph::node_of("act", graph::Relu{}, {"fc.y"}),
                             graph::node_of("head", graph::FloatLinear{head, {}}, {"act.y"})});
  graph.name = "golden";
  return graph;
}

}  // namespace samebits
