// In which steps a header computes a graph, and where its values lie: as in the runtime, layers take a relu
// behind them along and hand codes to the layer that reads them (graph/passes/code_chains.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace samebits {

/// A value of one item.
struct CValue {
  graph::Sizes sizes;  // behind the batch
  std::int64_t count = 1;
  const graph::Node* reader = nullptr;  // not null: codes on the input grid of this layer
  std::string text;                     // points to it, in C

  bool is_codes() const { return reader != nullptr; }
};

/// Values are numbered as in graph/wiring.h.
struct CStep {
  const graph::Node* node = nullptr;
  bool relu = false;      // a layer that ends in the relu behind it
  bool is_alias = false;  // a flatten: its output lies where its input does, nothing is computed
  std::vector<std::size_t> inputs;
  std::size_t output = 0;
  std::string scratch;  // of a layer that reads floats: where their codes go, in C
};

struct CPlan {
  std::vector<CValue> values;
  std::vector<CStep> steps;
  std::vector<std::size_t> results;  // values
  std::int64_t bytes = 0;            // of the memory that values share
};

/// Of a checked graph. `memory` is the C name of that memory. Throws GraphError when a shape is not [batch,
/// numbers...].
CPlan plan_c(const graph::Graph& graph, const std::string& memory);

/// The C names of the function's arguments, unique: "input_x", "output_fc_y".
std::vector<std::string> c_arguments(const graph::Graph& graph);

}  // namespace samebits
