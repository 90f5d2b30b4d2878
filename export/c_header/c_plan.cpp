#include "export/c_header/c_plan.h"

#include <algorithm>
#include <set>

#include "export/c_header/c_text.h"
#include "export/c_header/memory_plan.h"
#include "graph/operator.h"
#include "graph/ops/shape/flatten.h"
#include "graph/passes/code_chains.h"
#include "graph/passes/dead_code.h"
#include "graph/wiring.h"

namespace samebits {
namespace {

using graph::Graph;
using graph::Wiring;

CValue value_of(const std::string& name, const graph::TensorType& type) {
  const auto is_number = [](const graph::Dimension& size) { return size.is_number(); };
  if (type.dtype != graph::Dtype::kFloat32 || type.shape.empty() || type.shape[0] != graph::kBatch ||
      !std::all_of(type.shape.begin() + 1, type.shape.end(), is_number))
    throw graph::GraphError(io::join(name, ": expected float32 of shape [batch, numbers...], got ",
                                     graph::to_text(type.dtype), " of ", graph::to_text(type.shape),
                                     "; save a package instead"));
  CValue value;
  for (std::size_t axis = 1; axis < type.shape.size(); ++axis) value.sizes.push_back(type.shape[axis].offset);
  value.count = graph::element_count(name, value.sizes);
  return value;
}

/// Values with their sizes and, where they are codes, whose.
std::vector<CValue> values_of(const Graph& graph) {
  const std::vector<graph::TensorType> types = graph::checked_types(graph);
  std::vector<CValue> values;
  for (const graph::Input& input : graph.inputs) values.push_back(value_of(input.name, types[values.size()]));
  for (const graph::Node& node : graph.nodes)
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      values.push_back(value_of(node.name, types[values.size()]));
  return values;
}

std::vector<CStep> steps_of(const Graph& graph, const Wiring& wiring, std::vector<CValue>& values) {
  const std::vector<bool> needed = graph::needed_nodes(graph, wiring),
                          fused = graph::fused_relus(graph, wiring);
  const auto readers = graph::code_readers(graph, wiring, fused);
  std::vector<CStep> steps;
  std::set<std::size_t> done;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (done.contains(i) || !needed[i]) continue;
    CStep step{.node = &graph.nodes[i], .relu = fused[i], .inputs = wiring.inputs[i]};
    step.output = wiring.outputs[i].front();
    if (fused[i]) {
      const std::size_t relu = wiring.readers[step.output].front();
      step.output = wiring.outputs[relu].front();
      done.insert(relu);
    }
    if (readers[step.output].has_value()) values[step.output].reader = &graph.nodes[*readers[step.output]];
    step.is_alias = graph::is_a<graph::Flatten>(*step.node) && !wiring.is_result[step.output];
    steps.push_back(std::move(step));
  }
  return steps;
}

std::int64_t bytes_of(const CValue& value) {
  return value.count * static_cast<std::int64_t>(value.is_codes() ? sizeof(std::int8_t) : sizeof(float));
}

/// What plan_memory() is asked for, and who gets the answers.
struct Requests {
  std::vector<Lifetime> lifetimes;
  std::vector<std::size_t> of_value;  // index of lifetimes; none: kNone
  std::vector<std::size_t> of_step;   // of its scratch
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

Requests requests_of(const Wiring& wiring, const CPlan& plan) {
  Requests requests;
  requests.of_value.assign(plan.values.size(), Requests::kNone);
  requests.of_step.assign(plan.steps.size(), Requests::kNone);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const CStep& step = plan.steps[s];
    for (const std::size_t input : step.inputs)
      if (requests.of_value[input] != Requests::kNone) requests.lifetimes[requests.of_value[input]].last = s;
    if (step.is_alias) {
      requests.of_value[step.output] = requests.of_value[step.inputs[0]];
    } else if (!wiring.is_result[step.output]) {
      requests.of_value[step.output] = requests.lifetimes.size();
      requests.lifetimes.push_back({bytes_of(plan.values[step.output]), s, s});
    }
    const CValue& x = plan.values[step.inputs[0]];
    if (!graph::is_layer(*step.node) || x.is_codes()) continue;
    requests.of_step[s] = requests.lifetimes.size();
    requests.lifetimes.push_back({x.count, s, s});
  }
  return requests;
}

/// Memory is an array of floats: what is no float is a character type, and may lie there too.
std::string floats_at(const std::string& memory, std::int64_t offset) {
  return memory + " + " + std::to_string(offset / static_cast<std::int64_t>(sizeof(float)));
}
std::string codes_at(const std::string& memory, std::int64_t offset) {
  return "(int8_t*)" + memory + " + " + std::to_string(offset);
}

}  // namespace

std::vector<std::string> c_arguments(const Graph& graph) {
  std::set<std::string> taken;
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    names.push_back(c_identifier(name));
    while (!taken.insert(names.back()).second) names.back() += "_";
  };
  for (const graph::Input& input : graph.inputs) add("input_" + input.name);
  for (const std::string& output : graph.outputs) add("output_" + output);
  return names;
}

CPlan plan_c(const Graph& graph, const std::string& memory) {
  const Wiring wiring = graph::wiring_of(graph);
  CPlan plan{.values = values_of(graph)};
  plan.steps = steps_of(graph, wiring, plan.values);
  const Requests requests = requests_of(wiring, plan);
  const MemoryPlan places = plan_memory(requests.lifetimes);
  plan.bytes = places.bytes;
  plan.results = wiring.results;
  const std::vector<std::string> arguments = c_arguments(graph);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) plan.values[i].text = arguments[i];
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    CValue& value = plan.values[wiring.results[i]];
    if (value.text.empty()) value.text = arguments[graph.inputs.size() + i];
  }
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    CStep& step = plan.steps[s];
    if (requests.of_step[s] != Requests::kNone)
      step.scratch = codes_at(memory, places.offsets[requests.of_step[s]]);
    CValue& y = plan.values[step.output];
    if (step.is_alias) y.text = plan.values[step.inputs[0]].text;
    const std::size_t place = requests.of_value[step.output];
    if (y.text.empty())
      y.text =
          y.is_codes() ? codes_at(memory, places.offsets[place]) : floats_at(memory, places.offsets[place]);
  }
  return plan;
}

}  // namespace samebits
