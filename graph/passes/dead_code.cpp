#include "graph/passes/dead_code.h"

#include <utility>

namespace samebits::graph {

std::vector<bool> needed_nodes(const Graph& graph, const Wiring& wiring) {
  std::vector<bool> needed(graph.nodes.size(), false), is_read = wiring.is_result;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    for (const std::size_t output : wiring.outputs[i]) needed[i] = needed[i] || is_read[output];
    if (!needed[i]) continue;
    for (const std::size_t input : wiring.inputs[i]) is_read[input] = true;
  }
  return needed;
}

void remove_dead_code(Graph& graph) {
  const std::vector<bool> needed = needed_nodes(graph, wiring_of(graph));
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (needed[i]) nodes.push_back(std::move(graph.nodes[i]));
  graph.nodes = std::move(nodes);
}

}  // namespace samebits::graph
