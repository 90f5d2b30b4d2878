#include "graph/passes/code_chains.h"

#include <algorithm>
#include <span>

#include "graph/operator.h"
#include "graph/ops/elementwise/relu.h"

namespace samebits::graph {
namespace {

/// Of each value: the layer node that alone reads it, at once or behind nodes that keep order.
std::vector<std::optional<std::size_t>> layers_behind(const Graph& graph, const Wiring& wiring) {
  std::vector<std::optional<std::size_t>> layers(wiring.writer.size());
  for (std::size_t value = layers.size(); value-- > 0;) {
    const std::optional<std::size_t> reader = wiring.only_reader(value);
    if (!reader.has_value()) continue;
    if (is_layer(graph.nodes[*reader]))
      layers[value] = reader;
    else if (graph.nodes[*reader].op->keeps_order)
      layers[value] = layers[wiring.outputs[*reader].front()];  // which comes later
  }
  return layers;
}

/// The inputs of a node that keeps order whose elements it gives back.
std::span<const std::size_t> moved_inputs(const Graph& graph, const Wiring& wiring, std::size_t node) {
  const std::span<const std::size_t> all = wiring.inputs[node];
  return graph.nodes[node].op->inputs == kAnyInputs ? all : all.first(1);
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
  std::vector<std::optional<std::size_t>> layers = layers_behind(graph, wiring);
  std::vector<bool> can_be(layers.size(), false);
  const auto all_can_be = [&](std::size_t node) {
    return std::ranges::all_of(moved_inputs(graph, wiring, node),
                               [&](std::size_t input) { return can_be[input] && layers[input].has_value(); });
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::size_t output = wiring.outputs[i].front();
    if (is_layer(node))
      can_be[fused[i] ? wiring.outputs[wiring.readers[output].front()].front() : output] = true;
    else if (node.op->keeps_order && !can_be[output])
      can_be[output] = all_can_be(i);
  }
  // A value whose reader has an input that cannot be codes stays floats, and so does what leads to it.
  for (std::size_t value = layers.size(); value-- > 0;) {
    if (!layers[value].has_value()) continue;
    const std::size_t reader = *wiring.only_reader(value);
    const bool passes_on = is_layer(graph.nodes[reader]) ||
                           (all_can_be(reader) && layers[wiring.outputs[reader].front()].has_value());
    if (!can_be[value] || !passes_on) layers[value] = std::nullopt;
  }
  return layers;
}

}  // namespace samebits::graph
