#include "runtime/plan.h"

#include <algorithm>
#include <map>

namespace samebits::runtime {
namespace {

/// Who reads which slot.
struct Wiring {
  std::vector<std::vector<std::size_t>> inputs;   // of a node: slots
  std::vector<std::vector<std::size_t>> readers;  // of a slot: nodes
  std::size_t output = 0;
};

Wiring wiring_of(const Graph& graph) {
  Wiring wiring;
  wiring.readers.resize(graph.nodes.size() + 1);
  std::map<std::string, std::size_t> slots = {{graph.input, 0}};
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    wiring.inputs.emplace_back();
    for (const std::string& input : graph.nodes[i].inputs) {
      wiring.inputs[i].push_back(slots.at(input));
      wiring.readers[slots.at(input)].push_back(i);
    }
    slots[graph.nodes[i].output] = i + 1;
  }
  wiring.output = slots.at(graph.output);
  return wiring;
}

/// The one node that reads a slot, if there is just one and the slot is not the result.
std::optional<std::size_t> only_reader(const Wiring& wiring, std::size_t slot) {
  if (slot == wiring.output || wiring.readers[slot].size() != 1) return std::nullopt;
  return wiring.readers[slot].front();
}

/// The layer that alone reads a slot, at once or behind nodes that keep the order of values and add none but
/// 0: what they do to reals they do to codes.
std::optional<std::size_t> layer_behind(const Graph& graph, const Wiring& wiring, std::size_t slot) {
  std::optional<std::size_t> node = only_reader(wiring, slot);
  const auto keeps_order = [](Op op) {
    return op == Op::kMaxPool2d || op == Op::kFlatten || op == Op::kRelu;
  };
  while (node.has_value() && keeps_order(graph.nodes[*node].op)) node = only_reader(wiring, *node + 1);
  return node.has_value() && is_layer(graph.nodes[*node].op) ? node : std::nullopt;
}

void add_step(const Graph& graph, const Wiring& wiring, std::size_t i, Plan& plan) {
  const Node& node = graph.nodes[i];
  Step step{.node = i, .inputs = wiring.inputs[i], .output = i + 1};
  const auto writer = std::find_if(plan.steps.begin(), plan.steps.end(),
                                   [&](const Step& s) { return s.output == step.inputs.front(); });
  const bool reads_codes = writer != plan.steps.end() && writer->reader.has_value();
  if (is_layer(node.op)) {
    const auto next = only_reader(wiring, step.output);
    if (next.has_value() && graph.nodes[*next].op == Op::kRelu) {
      step.relu = true;
      step.output = *next + 1;
    }
    step.reader = layer_behind(graph, wiring, step.output);
  } else if (reads_codes) {
    step.reader = writer->reader;  // on the way to it
  }
  plan.steps.push_back(step);
}

/// Gives each step's output a buffer, and takes it back behind the last step that reads it.
void assign_buffers(const Wiring& wiring, Plan& plan) {
  std::vector<std::size_t> last_use(wiring.readers.size(), 0), free;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    last_use[plan.steps[s].output] = s;  // when nobody reads it
    for (const std::size_t slot : plan.steps[s].inputs) last_use[slot] = s;
  }
  plan.buffer.assign(wiring.readers.size(), 0);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    Step& step = plan.steps[s];
    if (free.empty()) free.push_back(plan.buffers++);
    plan.buffer[step.output] = free.back();
    free.pop_back();
    std::vector<std::size_t> candidates = step.inputs;
    candidates.push_back(step.output);
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    for (const std::size_t slot : candidates)
      if (slot != 0 && slot != plan.output && last_use[slot] == s) free.push_back(plan.buffer[slot]);
  }
}

}  // namespace

Plan make_plan(const Graph& graph, bool fold) {
  const Wiring wiring = wiring_of(graph);
  Plan plan;
  plan.output = wiring.output;
  std::vector<bool> is_folded(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (is_folded[i]) continue;
    if (!fold) {
      plan.steps.push_back({.node = i, .inputs = wiring.inputs[i], .output = i + 1});
      continue;
    }
    add_step(graph, wiring, i, plan);
    if (plan.steps.back().relu) is_folded[plan.steps.back().output - 1] = true;
  }
  assign_buffers(wiring, plan);
  return plan;
}

}  // namespace samebits::runtime
