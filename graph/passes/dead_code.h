// Nodes that no result depends on.
#pragma once

#include <vector>

#include "graph/wiring.h"

namespace samebits::graph {

/// Of each node: whether a result depends on it.
std::vector<bool> needed_nodes(const Graph& graph, const Wiring& wiring);

/// Removes the others. The inputs of the graph stay.
void remove_dead_code(Graph& graph);

}  // namespace samebits::graph
