#include <algorithm>
#include <ranges>

#include "graph/ops/elementwise/relu.h"
#include "torch_ext/graph/in_place.h"
#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/graph/traced_layer.h"

namespace samebits {
namespace {

namespace jit = torch::jit;

using ReadNode = void(TraceWalk&, const jit::Node*);

/// What reads nodes of that kind; null: nothing does.
ReadNode* reader_of(const std::string& kind) {
  static const std::map<std::string, ReadNode*> kReaders = [] {
    std::map<std::string, ReadNode*> readers;
    for (const graph::Operator* op : graph::operators())
      for (const char* each : trace_reader_of(*op).kinds) readers[each] = trace_reader_of(*op).read;
    return readers;
  }();
  const auto found = kReaders.find(kind);
  return found == kReaders.end() ? nullptr : found->second;
}

[[noreturn]] void fail_unknown(const std::string& kind, const std::string& previous) {
  if (const auto exact = exact_operators().find(kind); exact != exact_operators().end())
    TORCH_CHECK(false, "[export] after ", previous, ": expected ", exact->second, ", got ", kind,
                ", whose bits are its library's; call ", exact->second,
                ", or capture() the model, which prepare() then rewrites");
  static const std::set<std::string> kFloatLayers = {"aten::linear", "aten::addmm",        "aten::matmul",
                                                     "aten::mm",     "aten::_convolution", "aten::conv2d"};
  const char* hint =
      kFloatLayers.count(kind) != 0
          ? "the order of its sums is its library's: make it a QAT layer, and skip it if it shall "
            "stay float"
          : "compute it outside of the exported model";
  TORCH_CHECK(false, "[export] after ", previous, ": expected one of ", graph::operator_names(), ", got ",
              kind, "; ", hint);
}

graph::Dtype graph_dtype(torch::ScalarType dtype) {
  if (dtype == torch::kLong) return graph::Dtype::kInt64;
  if (dtype == torch::kBool) return graph::Dtype::kBool;
  TORCH_CHECK(dtype == torch::kFloat, "[export] the input: expected float32, int64 or bool, got ", dtype,
              "; convert it before the model");
  return graph::Dtype::kFloat32;
}

}  // namespace

TraceWalk::TraceWalk(const TracedModel& traced, const ModelRef& model) : traced_(traced) {
  const auto add_path = [&](torch::nn::Module* module, const std::string& path) {
    if (const auto* layer = dynamic_cast<const QATLayer*>(module);
        layer != nullptr && !paths_.contains(layer)) {
      paths_[layer] = path;
      taken_.insert(path);
    }
  };
  add_path(&model.module, model.module.name());
  for (const auto& module : model.module.named_modules("", /*include_self=*/false))
    add_path(module.value().get(), module.key());
  for (const Value* input : traced.inputs) {
    std::string name = "x";
    if (!values_.empty()) name += std::to_string(values_.size() + 1);
    values_[input] = name;
  }
  mark_from_input();
  mark_needed();
}

/// Neither the arithmetic of grids, recorded too, nor what is made of parameters and constants alone.
void TraceWalk::mark_from_input() {
  from_input_.insert(traced_.inputs.begin(), traced_.inputs.end());
  const auto is_from_input = [&](const Value* value) { return from_input_.count(value) != 0; };
  for (const Node* node : traced_.graph->nodes()) {
    const auto call = node->outputs().empty() ? traced_.calls.end() : traced_.calls.find(node->output(0));
    const bool is_one = call != traced_.calls.end() ? is_from_input(call->second.input)
                                                    : std::ranges::any_of(node->inputs(), is_from_input);
    if (is_one) from_input_.insert(node->outputs().begin(), node->outputs().end());
  }
}

/// The nodes between the input and the result; of a layer the one that makes its output.
void TraceWalk::mark_needed() {
  std::vector<const Value*> open = traced_.outputs;
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    const Node* node = value->node();
    if (node->kind() == jit::prim::Param || !is_from_input(value) || !needed_.insert(node).second) continue;
    const auto call = traced_.calls.find(value);
    if (call != traced_.calls.end()) {
      open.push_back(call->second.input);
      for (const Value* state : states_of_call(node)) open.push_back(state);
      continue;
    }
    for (const Value* input : activations_of(node)) open.push_back(input);
  }
}

std::vector<const jit::Value*> TraceWalk::activations_of(const Node* node) const {
  // Of these the first input is a shape.
  static const std::set<std::string> kOfShape = {"aten::full_like", "aten::ones_like", "aten::zeros_like",
                                                 "aten::fill_"};
  std::vector<const Value*> inputs;
  const std::size_t first = kOfShape.contains(node->kind().toQualString()) ? 1 : 0;
  for (const Value* input : node->inputs().slice(first))
    if (input->type()->isSubtypeOf(*c10::TensorType::get()) ||
        input->type()->isSubtypeOf(*c10::ListType::ofTensors()))
      inputs.push_back(input);
  return inputs;
}

void TraceWalk::read_node(const Node* node) {
  if (read_identity(*this, node)) return;
  const std::string kind = node->kind().toQualString();
  ReadNode* const reader = reader_of(kind);
  if (reader == nullptr) fail_unknown(kind, previous());
  reader(*this, node);
}

/// What the graph would be made of: the nodes that are needed, and the calls of layers.
std::vector<const jit::Node*> TraceWalk::steps() const {
  std::vector<const Node*> steps;
  for (const Node* node : traced_.graph->nodes()) {
    const bool is_list = node->kind() == jit::prim::ListConstruct || node->kind() == jit::prim::ListUnpack;
    if (needed_.count(node) != 0 && !is_list) steps.push_back(node);
  }
  return steps;
}

std::vector<Unshippable> TraceWalk::problems() {
  std::vector<Unshippable> problems;
  const auto collect = [&](const Node* node, const auto& run) {
    try {
      run();
    } catch (const c10::Error& error) {
      const std::string text = error.what_without_backtrace();
      const std::size_t expected = text.find("expected ");
      problems.push_back({node == nullptr ? "" : node->kind().toQualString(),
                          node == nullptr ? "" : node->scopeName(),
                          expected == std::string::npos ? text : text.substr(expected)});
    }
  };
  collect(nullptr, [&] { check_in_place(traced_, needed_); });
  for (const Node* node : steps()) {
    if (const auto call = traced_.calls.find(node->output(0)); call != traced_.calls.end()) {
      if (const auto states = states_of_call(node); !states.empty()) collect(node, [&] { names_of(states); });
      name_results(node);
      continue;
    }
    collect(node, [&] { read_node(node); });
    name_results(node);
  }
  return problems;
}

/// Names for results that no reader has named.
void TraceWalk::name_results(const Node* node) {
  for (const Value* output : node->outputs()) values_.emplace(output, new_value());
  for (const Value* output : node->outputs())
    for (const auto& use : output->uses())
      if (use.user->kind() == jit::prim::ListUnpack)
        for (const Value* item : use.user->outputs()) values_.emplace(item, new_value());
}

graph::Graph TraceWalk::read(const std::string& name) {
  check_in_place(traced_, needed_);
  for (const Node* node : steps()) {
    const auto call = traced_.calls.find(node->output(0));
    call != traced_.calls.end() ? add_call(node, call->second) : read_node(node);
  }
  graph::Graph graph{name, {}, {}, {}};
  for (const Value* output : traced_.outputs) {
    TORCH_CHECK(values_.count(output) != 0 && !nodes_.empty(),
                "[export] model: expected a result computed from the input, got a constant");
    graph.outputs.push_back(values_.at(output));
  }
  for (const Value* input : traced_.inputs)
    graph.inputs.push_back({values_.at(input), {graph_dtype(dtype_of(input)), shape_of(input)}});
  graph.nodes = std::move(nodes_);
  return graph;
}

std::string TraceWalk::new_value() {
  std::string name = "v";
  return name += std::to_string(++made_values_);
}

void TraceWalk::add(graph::Node node, const std::vector<const Value*>& outputs) {
  node.name = unique(node.name);
  taken_.insert(node.name);
  node.outputs.clear();
  for (const Value* output : outputs) {
    node.outputs.push_back(new_value());
    if (output != nullptr) values_[output] = node.outputs.back();
  }
  nodes_.push_back(std::move(node));
}

void TraceWalk::add_call(const Node* node, const LayerCall& call) {
  const QATLayer& layer = *call.layer;
  const graph::Operator* op = nullptr;
  std::any attributes;
  for (const graph::Operator* each : graph::operators()) {
    const TraceReader& reader = trace_reader_of(*each);
    if (reader.from_layer == nullptr) continue;
    attributes = reader.from_layer(layer);
    op = each;
    if (attributes.has_value()) break;
  }
  const std::string name = layer_name(layer);
  TORCH_CHECK(attributes.has_value(), "[export] ", name,
              ": expected a layer that is quantized or skipped, got ", layer.kind(), " in state ",
              state_name(layer.state()));
  graph::Node out{.op = op,
                  .name = name,
                  .scope = paths_.contains(&layer) ? paths_.at(&layer) : layer.path(),
                  .inputs = {input_of(call, name)},
                  .outputs = {},
                  .attributes = std::move(attributes)};
  for (const std::string& state : names_of(states_of_call(node))) out.inputs.push_back(state);
  taken_.erase(name);  // it is its own
  add(std::move(out), std::vector<const Value*>{node->output(0)});
}

/// The name of a layer's input; the relu in front of it is a node of its own.
std::string TraceWalk::input_of(const LayerCall& call, const std::string& layer) {
  const std::string& x = name_of(call.input);
  if (!call.layer->has_relu_input()) return x;
  add(graph::make_node(layer + ".relu", graph::Relu{}, {x}, {}), std::vector<const Value*>{nullptr});
  return nodes_.back().outputs[0];
}

/// The layer's path; a layer that is used again gets other names.
std::string TraceWalk::layer_name(const QATLayer& layer) {
  const auto path = paths_.find(&layer);
  const std::string name = path != paths_.end() ? path->second : layer.path();
  const int use = ++uses_[name];
  if (use == 1) return name;
  return unique(name + "#" + std::to_string(use));
}

std::string TraceWalk::unique(std::string name) const {
  while (taken_.contains(name)) name += "_";
  return name;
}

void TraceWalk::pass_through(const Value* input, const Value* output) {
  values_[output] = name_of(input);
}

std::string TraceWalk::made_name(const std::string& op) const {
  return unique(op + "_" + std::to_string(nodes_.size()));
}

std::string TraceWalk::previous() const {
  return nodes_.empty() ? "the input" : nodes_.back().name;
}

std::vector<std::string> TraceWalk::names_of(const std::vector<const Value*>& values) const {
  std::vector<std::string> names;
  for (const Value* value : values) names.push_back(name_of(value));
  return names;
}

const std::string& TraceWalk::name_of(const Value* value) const {
  const auto found = values_.find(value);
  TORCH_CHECK(
      found != values_.end(), "[export] after ", previous(),
      ": expected a value computed from the input, got ",
      traced_.parameters.count(value) != 0 ? "parameter " + traced_.parameters.at(value) : "a constant",
      "; the model may use its parameters in QAT layers only");
  return found->second;
}

graph::Pair TraceWalk::pair(const Node* node, std::size_t input, const char* what) const {
  const std::vector<std::int64_t> values = integers(node, input, what);
  TORCH_CHECK(values.size() == 1 || values.size() == 2, "[export] ", node->kind().toQualString(),
              ": expected 2 ", what, ", got ", values.size());
  return {values.front(), values.back()};
}

graph::Pair TraceWalk::strides(const Node* node, std::size_t input, const graph::Pair& kernel) const {
  return integers(node, input, "strides").empty() ? kernel : pair(node, input, "strides");
}

}  // namespace samebits
