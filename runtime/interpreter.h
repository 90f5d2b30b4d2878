// Runs a graph on kernels/, with threads of its own. The same bits at any thread count: threads share images,
// rows or elements, and no sum.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "runtime/array.h"

namespace samebits::runtime {

class Interpreter {
 public:
  /// Packs the weights. `threads` >= 1. Throws like check(Graph), and for inputs that are not float32.
  explicit Interpreter(graph::Graph graph, int threads = 1);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The results for one array an input, whose shapes fit the graph's with one batch (0 included). Throws
  /// std::runtime_error on another shape, and on a NaN at a quantized input, naming the node. Not for two
  /// threads at once; in a fork of the process that made it, only with one thread.
  std::vector<Array> run(std::span<const Array> inputs);
  /// The same into arrays whose memory is used again: nothing is allocated once a shape was seen, but what
  /// kernels/conv/conv2d.h takes for its patches.
  void run(std::span<const Array> inputs, std::vector<Array>& outputs);
  /// The same of a graph with one input and one output.
  Array run(const Array& x);

  /// Called with every node and its output in execution order, when set: for verify and tests.
  std::function<void(const graph::Node&, const Array&)> on_node;

  const graph::Graph& graph() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samebits::runtime
