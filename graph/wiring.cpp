#include "graph/wiring.h"

#include <string>
#include <unordered_map>

namespace samebits::graph {

Wiring wiring_of(const Graph& graph) {
  Wiring wiring;
  std::unordered_map<std::string, std::size_t> values;
  const auto add = [&](const std::string& name, std::optional<std::size_t> writer) {
    values.emplace(name, wiring.writer.size());
    wiring.writer.push_back(writer);
    return wiring.writer.size() - 1;
  };
  for (const Input& input : graph.inputs) add(input.name, std::nullopt);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    wiring.inputs.emplace_back();
    wiring.outputs.emplace_back();
    for (const std::string& input : graph.nodes[i].inputs) wiring.inputs[i].push_back(values.at(input));
    for (const std::string& output : graph.nodes[i].outputs) wiring.outputs[i].push_back(add(output, i));
  }
  wiring.readers.resize(wiring.writer.size());
  wiring.is_result.resize(wiring.writer.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const std::size_t value : wiring.inputs[i]) wiring.readers[value].push_back(i);
  for (const std::string& output : graph.outputs) {
    wiring.results.push_back(values.at(output));
    wiring.is_result[wiring.results.back()] = true;
  }
  return wiring;
}

}  // namespace samebits::graph
