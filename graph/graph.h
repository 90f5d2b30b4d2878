// A model as a graph of operators, torch-free: what training ends with and everything that ships begins with.
// An operator is a file of graph/ops/; the table of all is graph/operators.inc.
#pragma once

#include <any>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/types.h"
#include "io/error.h"

namespace samebits::graph {

struct Operator;

struct Node {
  const Operator* op = nullptr;
  std::string name;   // of the layer where there is one, else made up; unique
  std::string scope;  // path of the module that computes it: "features.0"; empty: the model's own forward
  std::vector<std::string>
      inputs;  // names of values: inputs of the graph or outputs of nodes before this one
  std::vector<std::string> outputs;  // unique among all values
  std::any attributes;               // the struct of graph/ops/<op->name>.h

  /// The attributes as what they are; throws std::bad_any_cast when they are another operator's.
  template <class A>
  const A& as() const {
    return std::any_cast<const A&>(attributes);
  }
  template <class A>
  A& as() {
    return std::any_cast<A&>(attributes);
  }
  friend bool operator==(const Node& a, const Node& b);
};

/// A value that comes from outside.
struct Input {
  std::string name;
  TensorType type;
  friend bool operator==(const Input&, const Input&) = default;
};

struct Graph {
  std::string name;
  std::vector<Input> inputs;
  std::vector<std::string> outputs;  // names of values
  std::vector<Node> nodes;           // in execution order
  friend bool operator==(const Graph&, const Graph&) = default;
};

/// A problem of a graph, from "NODE: " on: check() and load_package() put their "[scope] file: " before it.
struct GraphError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws GraphError: the node's name, then the parts.
template <class... Parts>
[[noreturn]] void fail_node(const Node& node, const Parts&... parts) {
  throw GraphError(io::join(node.name, ": ", parts...));
}

/// The most elements of a weight, or of a value for one item, and the largest stride, padding, dilation and
/// pool kernel. Products of what files say then fit int64.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;
constexpr std::int64_t kMaxWindow = std::int64_t{1} << 15;

/// The product of `sizes`. Throws GraphError, beginning with `name`, unless every size is >= 1 and the
/// product is
/// <= kMaxElements.
std::int64_t element_count(const std::string& name, const Sizes& sizes);

/// Throws std::runtime_error, naming the node, when a value is used before it is made, a name is not unique,
/// an operator cannot take its inputs, an array's size does not fit the shapes, a grid is no grid (affine.h),
/// or the depth of a sum exceeds max_depth.
void check(const Graph& graph);

/// The same, but throws GraphError; returns the types of all values: of the inputs, then of every node's
/// outputs.
std::vector<TensorType> checked_types(const Graph& graph);

}  // namespace samebits::graph
