// In which steps a graph runs: nodes in order, those folded into one step and put on codes that
// graph/passes/code_chains.h allows. Where the values lie is in memory_plan.h.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace samebits::runtime {

/// Values are numbered as in graph/wiring.h.
struct Step {
  std::size_t node = 0;               // what computes
  bool relu = false;                  // a layer that ends in the relu node behind it
  std::vector<std::size_t> inputs;    // values
  std::vector<std::size_t> outputs;   // values; that of the relu when it is folded in
  std::optional<std::size_t> reader;  // the layer node that reads the output: as codes on its input grid
};

struct Schedule {
  std::vector<Step> steps;
  std::vector<std::size_t> results;  // values
  std::size_t values = 0;            // how many there are
  std::size_t inputs = 0;            // how many of them come from outside: the first ones
};

/// With `fold` the fewest steps for the results; without, one step for every node. The graph is checked.
Schedule make_schedule(const graph::Graph& graph, bool fold);

}  // namespace samebits::runtime
