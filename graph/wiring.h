// Who makes and who reads which value, by number instead of by name.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace samebits::graph {

/// Values are numbered: the graph's inputs first, then the outputs of the nodes in order.
struct Wiring {
  std::vector<std::vector<std::size_t>> inputs;   // of a node: values
  std::vector<std::vector<std::size_t>> outputs;  // of a node: values
  std::vector<std::vector<std::size_t>>
      readers;  // of a value: nodes, ascending; twice when one reads it twice
  std::vector<std::optional<std::size_t>> writer;  // of a value: a node; none of an input
  std::vector<std::size_t> results;                // values that the graph gives
  std::vector<bool> is_result;                     // of a value

  /// The one node that reads a value, if there is just one and the value is no result.
  std::optional<std::size_t> only_reader(std::size_t value) const {
    if (is_result[value] || readers[value].size() != 1) return std::nullopt;
    return readers[value].front();
  }
};

/// Of a checked graph.
Wiring wiring_of(const Graph& graph);

}  // namespace samebits::graph
