#include <algorithm>
#include <ranges>

#include "graph/ops/elementwise/relu.h"
#include "torch_ext/graph/in_place.h"
#include "torch_ext/graph/trace_reader.h"

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
  values_[traced.input] = "x";
  mark_from_input();
  mark_needed();
}

/// Neither the arithmetic of grids, recorded too, nor what is made of parameters and constants alone.
void TraceWalk::mark_from_input() {
  from_input_ = {traced_.input};
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
  std::vector<const Value*> open = {traced_.output};
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    const Node* node = value->node();
    if (node->kind() == jit::prim::Param || !is_from_input(value) || !needed_.insert(node).second) continue;
    const auto call = traced_.calls.find(value);
    if (call != traced_.calls.end()) {
      open.push_back(call->second.input);
      continue;
    }
    for (const Value* input : activations_of(node)) open.push_back(input);
  }
}

std::vector<const jit::Value*> TraceWalk::activations_of(const Node* node) const {
  std::vector<const Value*> inputs;
  for (const Value* input : node->inputs())
    if (input->type()->isSubtypeOf(*c10::TensorType::get()) ||
        input->type()->isSubtypeOf(*c10::ListType::ofTensors()))
      inputs.push_back(input);
  return inputs;
}

graph::Graph TraceWalk::read(const std::string& name, const torch::Tensor& example) {
  check_in_place(traced_, needed_);
  for (const Node* node : traced_.graph->nodes()) {
    if (needed_.count(node) == 0 || node->kind() == jit::prim::ListConstruct) continue;
    const auto call = traced_.calls.find(node->output(0));
    if (call != traced_.calls.end()) {
      add_call(node, call->second);
      continue;
    }
    if (read_identity(*this, node)) continue;
    const std::string kind = node->kind().toQualString();
    ReadNode* const reader = reader_of(kind);
    if (reader == nullptr) fail_unknown(kind, previous());
    reader(*this, node);
  }
  TORCH_CHECK(values_.count(traced_.output) != 0 && !nodes_.empty(),
              "[export] model: expected a result computed from the input, got a constant");
  graph::TensorType type{graph::Dtype::kFloat32, {graph::kBatch}};
  for (std::int64_t axis = 1; axis < example.dim(); ++axis) type.shape.emplace_back(example.size(axis));
  return {name, {{"x", type}}, {values_.at(traced_.output)}, std::move(nodes_)};
}

void TraceWalk::add(graph::Node node, const Value* output) {
  node.name = unique(node.name);
  taken_.insert(node.name);
  node.outputs = {"v" + std::to_string(nodes_.size() + 1)};
  if (output != nullptr) values_[output] = node.outputs[0];
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
  taken_.erase(name);  // it is its own
  add(std::move(out), node->output(0));
}

/// The name of a layer's input; the relu in front of it is a node of its own.
std::string TraceWalk::input_of(const LayerCall& call, const std::string& layer) {
  const std::string& x = name_of(call.input);
  if (!call.layer->has_relu_input()) return x;
  add(graph::make_node(layer + ".relu", graph::Relu{}, {x}, {}), nullptr);
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

void TraceWalk::pass_through(const Node* node) {
  values_[node->output(0)] = name_of(node->input(0));
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

std::vector<std::int64_t> TraceWalk::integers(const Node* node, std::size_t input, const char* what) const {
  const Node* list = node->input(input)->node();
  if (list->kind() != jit::prim::ListConstruct) return constant<std::vector<std::int64_t>>(node, input, what);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < list->inputs().size(); ++i)
    values.push_back(constant<std::int64_t>(list, i, what));
  return values;
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

torch::Tensor TraceWalk::tensor(const Node* node, std::size_t input, const char* what) const {
  const auto parameter = traced_.tensors.find(node->input(input));
  if (parameter != traced_.tensors.end()) return parameter->second;
  const auto constant = jit::toIValue(node->input(input));
  TORCH_CHECK(constant.has_value(), "[export] after ", previous(), ": expected ", what, " of ",
              node->kind().toQualString(), " to be a parameter or a constant, got a computed one");
  return constant->isNone() ? torch::Tensor() : constant->toTensor();
}

std::vector<std::int64_t> TraceWalk::sizes_of(const Value* value) const {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type == nullptr ? std::nullopt : type->sizes().concrete_sizes();
  TORCH_CHECK(sizes.has_value(), "[export] ", value->debugName(), ": expected a tensor of known shape, got ",
              value->type()->str());
  return *sizes;
}

}  // namespace samebits
