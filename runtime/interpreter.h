// Runs a graph on kernels/, with threads of its own. The same bits at any thread count: threads share images.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace samebits::runtime {

/// A float array with its shape, row-major.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

class Interpreter {
 public:
  /// Prepares the weights. `threads` >= 1. Throws like check(Graph).
  explicit Interpreter(Graph graph, int threads = 1);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The output for `x`, whose shape fits graph().input_shape with any batch (0 included). Throws
  /// std::runtime_error on another shape, and on a NaN at a quantized input, naming the node.
  /// Not for two threads at once.
  Array run(const Array& x);

  /// Called with every node and its output in execution order, when set: for verify and tests.
  std::function<void(const Node&, const Array&)> on_node;

  const Graph& graph() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samebits::runtime
