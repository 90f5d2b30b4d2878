// In which steps a graph runs: layers take a relu behind them into their own pass, and hand codes instead of
// floats to the layer that reads them. The values are the same bits either way (docs/numerics.md §5); only
// memory traffic is saved.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace samebits::runtime {

/// Values live in slots: slot 0 is the input, slot i + 1 the output of node i.
struct Step {
  std::size_t node = 0;               // what computes
  bool relu = false;                  // a layer that ends in the relu node behind it
  std::vector<std::size_t> inputs;    // slots
  std::size_t output = 0;             // the slot of the last node folded in
  std::optional<std::size_t> reader;  // the layer node that reads the output: as codes on its input grid
};

struct Plan {
  std::vector<Step> steps;
  std::vector<std::size_t>
      buffer;  // of each slot that a step writes; slots that live at the same time have different ones
  std::size_t buffers = 0;
  std::size_t output = 0;  // slot of the result
};

/// A plan with all foldings, or one step a node.
Plan make_plan(const Graph& graph, bool fold);

}  // namespace samebits::runtime
