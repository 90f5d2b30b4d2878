// What a case of an operator is: the rows of op_cases.h and of cases/ are made of these.
#pragma once

#include <any>
#include <map>
#include <string>
#include <vector>

#include "tests/graph/graphs.h"
#include "tests/graph/op_oracle.h"

namespace samebits::graph {

/// What an input of a case holds, where it is not float32 behind the batch. The oracle has integers and bools
/// as floats.
struct InputKind {
  Dtype dtype = Dtype::kFloat32;
  std::int64_t limit = 2;  // integers are below it, and not below 0
  Shape shape = {};        // all of it, instead of sizes behind the batch
};

/// A node on inputs "x", "z", … of these sizes for one item, behind the batch.
struct OpCase {
  std::string name;
  std::any attributes;
  std::vector<Sizes> inputs;
  std::vector<InputKind> kinds = {};  // of the first inputs; the others are float32
};

struct OpRow {
  const char* op;
  oracle::FloatTensor (*run)(const Node&, const oracle::Tensors&);
  bool is_exact_in_onnx;  // false: engines compute it their own way
  std::vector<OpCase> cases;
};

/// The length of every sequence in tests.
constexpr std::int64_t kSequenceLength = 3;

inline InputKind kind_of(const OpCase& c, std::size_t input) {
  return input < c.kinds.size() ? c.kinds[input] : InputKind{};
}

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
    const char* kNames[] = {"x", "z", "u", "v"};
    const InputKind kind = kind_of(c, i);
    TensorType type{kind.dtype, kind.shape};
    if (kind.shape.empty()) {
      type.shape = {kBatch};
      type.shape.insert(type.shape.end(), c.inputs[i].begin(), c.inputs[i].end());
    }
    graph.inputs.push_back({kNames[i], type});
    node.inputs.push_back(kNames[i]);
  }
  graph.nodes = {std::move(node)};
  return graph;
}

/// Values for an input: normal floats, integers below a limit, bools.
inline FloatTensor values_for(const Input& input, std::int64_t limit, std::int64_t batch,
                              std::mt19937& random) {
  FloatTensor x = random_tensor(sizes_at(input.type.shape, {batch, kSequenceLength}), random);
  if (input.type.dtype == Dtype::kFloat32) return x;
  for (float& value : x.values)
    value = static_cast<float>(random() %
                               static_cast<std::uint64_t>(input.type.dtype == Dtype::kBool ? 2 : limit));
  return x;
}

}  // namespace samebits::graph
