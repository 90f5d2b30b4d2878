// What may run on codes instead of floats: a layer takes a relu behind it into its own pass, and hands codes
// instead of floats to the layer that reads them, through pools and relus if need be. The values are the same
// bits either way (docs/numerics.md §5); only memory traffic is saved. The graph stays as it is: schedules
// ask.
#pragma once

#include <optional>
#include <vector>

#include "graph/wiring.h"

namespace samebits::graph {

/// Of each node: whether it is a layer that ends in the relu that alone reads it.
std::vector<bool> fused_relus(const Graph& graph, const Wiring& wiring);

/// Of each value: the layer node that alone reads it, at once or behind nodes that keep the order of values
/// and add none but constants: what they do to reals they do to codes. Set where a layer, or such a node
/// behind one, writes it.
std::vector<std::optional<std::size_t>> code_readers(const Graph& graph, const Wiring& wiring,
                                                     const std::vector<bool>& fused);

}  // namespace samebits::graph
