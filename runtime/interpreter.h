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

/// What an interpreter holds besides the weights.
struct MemoryUse {
  std::int64_t values_bytes = 0;   // of all values: the peak that was planned for the sizes of the last run
  std::int64_t live_bytes = 0;     // the most of them that is needed at one time: no plan takes less
  std::int64_t scratch_bytes = 0;  // what operators needed besides so far
};

class Interpreter {
 public:
  /// Packs the weights. `threads` >= 1. Throws like check(Graph).
  explicit Interpreter(graph::Graph graph, int threads = 1);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The results for one array an input, of its dtype, whose shapes fit the graph's with one batch (0
  /// included) and one sequence. Throws std::runtime_error on another shape, and on a NaN at a quantized
  /// input or an index that is outside, naming the node. Not for two threads at once; in a fork of the
  /// process that made it, only with one thread.
  std::vector<Array> run(std::span<const Array> inputs);
  /// The same into arrays whose memory is used again: nothing is allocated once a shape was seen, but what
  /// kernels/conv/conv2d.h takes for its patches.
  void run(std::span<const Array> inputs, std::vector<Array>& outputs);
  /// The same of a graph with one input and one output.
  Array run(const Array& x);

  /// Called with every node and its output in execution order, when set: for verify and tests.
  std::function<void(const graph::Node&, const Array&)> on_node;

  const graph::Graph& graph() const;
  MemoryUse memory() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samebits::runtime
