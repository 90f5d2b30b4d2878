#include "torch_ext/graph/trace_program.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <map>
#include <set>

#include "torch_ext/graph/program/scopes.h"
#include "torch_ext/graph/traced_layer.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

namespace jit = torch::jit;
using c10::IValue;

bool is_floating(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  return type != nullptr && type->scalarType().has_value() && at::isFloatingType(*type->scalarType());
}

bool has_gradient(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  return type != nullptr && type->requiresGrad().value_or(false);
}

bool any_with_gradient(const jit::Node* node) {
  for (const jit::Value* input : node->inputs()) {
    if (has_gradient(input)) return true;
    if (input->node()->kind() == jit::prim::ListConstruct && any_with_gradient(input->node())) return true;
  }
  return false;
}

/// Whether a result has no gradient though it is made of what has one: none was asked for there. The tracer
/// sees _convolution below autograd, where nothing tells.
bool is_without_gradients(const jit::Node* node) {
  return std::string(node->kind().toQualString()) != "aten::_convolution" &&
         std::ranges::any_of(node->outputs(), is_floating) &&
         std::ranges::none_of(node->outputs(), has_gradient) && any_with_gradient(node);
}

class Builder {
 public:
  Builder(const TracedModel& traced, const torch::nn::Module& module) : traced_(traced), module_(module) {}

  Program build() {
    add_inputs();
    add_tensors();
    for (const jit::Node* node : traced_.graph->nodes()) add_node(node);
    for (const jit::Value* output : traced_.outputs) program_.outputs.push_back(argument(output));
    infer_scopes(program_);
    return std::move(program_);
  }

 private:
  ProgramValue define(const jit::Value* value) {
    const ProgramValue defined = program_.new_value();
    arguments_[value] = {defined};
    return defined;
  }

  void add_inputs() {
    for (std::size_t i = 0; i < traced_.inputs.size(); ++i) {
      ProgramInput input{define(traced_.inputs[i]), traced_.axes.batch[i], traced_.axes.sequence[i], {}};
      const auto shape = traced_.alignment.shape(traced_.inputs[i]);
      TORCH_CHECK(shape.has_value(), "[capture] input ", i + 1,
                  ": expected sizes that are the batch, the sequence or numbers, got others");
      input.shape.assign(shape->begin(), shape->end());
      program_.inputs.push_back(std::move(input));
    }
  }

  void add_tensors() {
    const auto parameters = module_.named_parameters();
    for (const jit::Value* value : traced_.graph->inputs()) {
      const auto found = traced_.parameters.find(value);
      if (found == traced_.parameters.end()) continue;
      const std::string& path = found->second;
      const bool is_parameter = parameters.contains(path);
      arguments_[value] = {ProgramTensor{program_.tensors.size()}};
      program_.tensors.push_back({is_parameter ? ProgramTensorEntry::kParameter : ProgramTensorEntry::kBuffer,
                                  path, traced_.tensors.at(value)});
    }
  }

  ProgramArgument argument(const jit::Value* value) {
    const auto known = arguments_.find(value);
    if (known != arguments_.end()) return known->second;
    const jit::Node* node = value->node();
    ProgramArgument made;
    if (node->kind() == jit::prim::ListConstruct) {
      ProgramList list;
      for (const jit::Value* input : node->inputs()) list.push_back(argument(input));
      made = {std::move(list)};
    } else {
      TORCH_CHECK(node->kind() == jit::prim::Constant, "[capture] ", value->debugName(),
                  ": expected a value that an operator makes, got one of ", node->kind().toQualString());
      made = constant(value);
    }
    arguments_[value] = made;
    return made;
  }

  ProgramArgument constant(const jit::Value* value) {
    const IValue literal = *jit::toIValue(value);
    if (literal.isTensor() && literal.toTensor().defined()) {
      program_.tensors.push_back({ProgramTensorEntry::kConstant,
                                  "constant_" + std::to_string(program_.tensors.size()),
                                  literal.toTensor().detach()});
      return {ProgramTensor{program_.tensors.size() - 1}};
    }
    if (!traced_.alignment.varies(value)) return {literal};
    if (literal.isInt()) {
      const auto size = traced_.alignment.size(value);
      check_size(size.has_value(), literal);
      return {*size};
    }
    const auto sizes = traced_.alignment.sizes(value);
    check_size(sizes.has_value(), literal);
    ProgramList list;
    for (const SymbolicSize& size : *sizes) list.push_back({size});
    return {std::move(list)};
  }

  void check_size(bool is_simple, const IValue& literal) const {
    TORCH_CHECK(
        is_simple, "[capture] after ", program_.nodes.empty() ? "the input" : program_.nodes.back().name,
        ": expected sizes that are numbers plus multiples of the batch, the sequence and their product, got ",
        literal, ", which follows them in another way; compute it with tensors, or keep that size fixed");
  }

  void add_node(const jit::Node* node) {
    const auto kind = node->kind();
    if (kind == jit::prim::Constant || kind == jit::prim::ListConstruct) return;
    const auto call = node->outputs().empty() ? traced_.calls.end() : traced_.calls.find(node->output(0));
    if (call != traced_.calls.end()) return add_call(node, call->second);
    if (traced_.within_calls.count(node) != 0) return;
    if (kind == jit::prim::ListUnpack) return add_items(node);
    const c10::FunctionSchema* schema = node->maybeSchema();
    TORCH_CHECK(schema != nullptr && schema->arguments().size() == node->inputs().size(), "[capture] after ",
                program_.nodes.empty() ? "the input" : program_.nodes.back().name,
                ": expected operators on tensors, got ", kind.toQualString(),
                "; keep what is no tensor outside of the model");
    ProgramNode added = named(kind.toQualString());
    added.overload = schema->overload_name();
    for (const jit::Value* input : node->inputs()) added.arguments.push_back(argument(input));
    for (const jit::Value* output : node->outputs()) added.results.push_back({define(output)});
    if (is_without_gradients(node)) added.grad_enabled = false;
    makers_[node] = program_.nodes.size();
    program_.nodes.push_back(std::move(added));
  }

  ProgramNode named(const std::string& op) const {
    ProgramNode node;
    const std::size_t colons = op.rfind(':');
    node.name =
        op.substr(colons == std::string::npos ? 0 : colons + 1) + "_" + std::to_string(program_.nodes.size());
    node.op = op;
    return node;
  }

  void add_call(const jit::Node* node, const LayerCall& call) {
    ProgramNode added = named(call.layer->kind());
    const auto modules = module_.named_modules("", /*include_self=*/false);
    for (const auto& each : modules)
      if (each.value().get() == call.layer) {
        added.scope = each.key();
        added.layer = as_qat_layer(each.value());
        break;
      }
    TORCH_CHECK(added.layer != nullptr, "[capture] ", call.layer->path(),
                ": expected every QAT layer to be a registered submodule, got one that is not");
    added.arguments = {argument(call.input)};
    if (traced_layer(node) != nullptr)
      for (const jit::Value* state : node->inputs().slice(1)) added.arguments.push_back(argument(state));
    added.results = {{define(node->output(0))}};
    program_.nodes.push_back(std::move(added));
  }

  /// The items of a list are results of what makes it.
  void add_items(const jit::Node* node) {
    const auto maker = makers_.find(node->input()->node());
    TORCH_CHECK(maker != makers_.end(), "[capture] ", node->kind().toQualString(),
                ": expected the list of an operator, got another");
    std::vector<ProgramValue> items;
    for (const jit::Value* output : node->outputs()) items.push_back(define(output));
    program_.nodes[maker->second].results[node->input()->offset()] = std::move(items);
  }

  const TracedModel& traced_;
  const torch::nn::Module& module_;
  Program program_;
  std::map<const jit::Value*, ProgramArgument> arguments_;
  std::map<const jit::Node*, std::size_t> makers_;
};

}  // namespace

Program program_of(const TracedModel& traced, const torch::nn::Module& module) {
  return Builder(traced, module).build();
}

}  // namespace samebits
