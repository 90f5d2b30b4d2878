#include "graph/passes/code_chains.h"

#include "graph/operator.h"
#include "graph/ops/elementwise/relu.h"

namespace samebits::graph {
namespace {

std::optional<std::size_t> layer_behind(const Graph& graph, const Wiring& wiring, std::size_t value) {
  std::optional<std::size_t> node = wiring.only_reader(value);
  while (node.has_value() && graph.nodes[*node].op->keeps_order)
    node = wiring.only_reader(wiring.outputs[*node].front());
  return node.has_value() && is_layer(graph.nodes[*node]) ? node : std::nullopt;
}

}  // namespace

std::vector<bool> fused_relus(const Graph& graph, const Wiring& wiring) {
  std::vector<bool> fused(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!is_layer(graph.nodes[i])) continue;
    const auto next = wiring.only_reader(wiring.outputs[i].front());
    fused[i] = next.has_value() && is_a<Relu>(graph.nodes[*next]);
  }
  return fused;
}

std::vector<std::optional<std::size_t>> code_readers(const Graph& graph, const Wiring& wiring,
                                                     const std::vector<bool>& fused) {
  std::vector<std::optional<std::size_t>> readers(wiring.writer.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::size_t output = wiring.outputs[i].front();
    if (is_layer(node)) {
      if (fused[i]) output = wiring.outputs[wiring.readers[output].front()].front();
      readers[output] = layer_behind(graph, wiring, output);
    } else if (node.op->keeps_order && !readers[output].has_value()) {
      readers[output] = readers[wiring.inputs[i].front()];
    }
  }
  return readers;
}

}  // namespace samebits::graph
