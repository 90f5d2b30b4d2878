// The graphs of the packages in tests/data.
#pragma once

#include "tests/graph/graphs.h"

namespace samebits::graph {

/// The packages of tests/data, which tests/python/test_package_files.py reads as well.
inline Graph golden_graph() {
  Linear fc1{{.scale = 0.1f, .zero_point = -3, .qmin = -128, .qmax = 127}, {}, {1.5f, -0.0f, 1e-3f}};
  fc1.weight = {.encoding = {.bits = 4,
                             .qmin = -8,
                             .qmax = 7,
                             .symmetric = false,
                             .granularity = quant::Granularity::kPerGroup,
                             .group_size = 4},
                .shape = {3, 5},
                .codes = {-8, 7, 0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6},
                .scale = {0.5f, 0.25f, 1.0f, 2.0f, 0.1f, 3.0f},
                .zero_point = {0, 1, -1, 7, -8, 2}};
  Linear fc2{{.scale = 0x1p-7f, .zero_point = 0, .qmin = -127, .qmax = 127}, {}, {}};
  fc2.weight = {.encoding = {},
                .shape = {2, 3},
                .codes = {127, -127, 0, 1, -1, 100},
                .scale = {0.125f, 0.0625f},
                .zero_point = {}};
  return graph_of(
      {5}, {node_of("fc1", fc1, {"x"}), node_of("relu", Relu{}, {"fc1.y"}), node_of("fc2", fc2, {"relu.y"})});
}

/// With what version 1 could not say.
inline Graph golden_graph_v2() {
  Graph graph = golden_graph();
  graph.nodes[0].scope = "head.fc1";
  graph.nodes.push_back(node_of("fc3", FloatLinear{{{1, 2}, {0.1f, -2.0f}}, {0.25f}}, {"fc2.y"}));
  graph.nodes.push_back(node_of("sum", Add{}, {"fc1.y", "z"}));
  graph.inputs.push_back({"z", {Dtype::kFloat32, {kBatch, 3}}});
  graph.outputs = {"fc3.y", "sum.y"};
  return graph;
}

}  // namespace samebits::graph
