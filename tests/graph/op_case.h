// What a case of an operator is: the rows of op_cases.h and of cases/ are made of these.
#pragma once

#include <any>
#include <string>
#include <vector>

#include "tests/graph/graphs.h"
#include "tests/graph/op_oracle.h"

namespace samebits::graph {

/// A node on inputs "x", "z", … of these sizes for one item, behind the batch.
struct OpCase {
  std::string name;
  std::any attributes;
  std::vector<Sizes> inputs;
};

struct OpRow {
  const char* op;
  oracle::FloatTensor (*run)(const Node&, const oracle::Tensors&);
  bool is_exact_in_onnx;  // false: engines compute it their own way
  std::vector<OpCase> cases;
};

/// A graph of one node "op" that makes "y".
inline Graph graph_of(const OpRow& row, const OpCase& c) {
  Graph graph{.name = row.op, .inputs = {}, .outputs = {"y"}, .nodes = {}};
  Node node{.op = find_operator(row.op),
            .name = "op",
            .scope = {},
            .inputs = {},
            .outputs = {"y"},
            .attributes = c.attributes};
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const char* kNames[] = {"x", "z"};
    TensorType type{Dtype::kFloat32, {kBatch}};
    type.shape.insert(type.shape.end(), c.inputs[i].begin(), c.inputs[i].end());
    graph.inputs.push_back({kNames[i], type});
    node.inputs.push_back(kNames[i]);
  }
  graph.nodes = {std::move(node)};
  return graph;
}

}  // namespace samebits::graph
