#include "torch_ext/graph/program/step.h"

#include <ATen/ScalarOps.h>
#include <torch/utils.h>

#include "torch_ext/modules/qat_recurrent.h"

namespace samebits {
namespace {

using c10::IValue;

std::int64_t size_at(const SymbolicSize& size, const graph::SymbolValues& symbols) {
  return size.linear.at(symbols) + size.product * symbols[0] * symbols[1];
}

/// Where an operator takes a tensor, a number becomes one that does not raise the result's dtype.
IValue as_type(IValue value, const c10::TypePtr& type) {
  if (type->kind() == c10::TypeKind::FloatType && value.isInt()) return static_cast<double>(value.toInt());
  if (type->kind() != c10::TypeKind::TensorType || !value.isScalar()) return value;
  at::Tensor tensor = c10::scalar_to_tensor(value.toScalar());
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

/// Whether it holds no value of a run.
bool is_constant(const ProgramArgument& argument) {
  bool has_values = false;
  for_each_item(argument, [&](const ProgramArgument& item) {
    has_values = has_values || item.value() != nullptr || std::holds_alternative<SymbolicSize>(item.is);
  });
  return !has_values;
}

/// Replaces what stands for a tensor of the program by the tensor.
ProgramArgument with_tensors(const ProgramArgument& argument, const Program& program) {
  if (const ProgramTensor* tensor = argument.tensor()) return {IValue(program.tensors[tensor->index].tensor)};
  ProgramArgument copy = argument;
  if (auto* list = std::get_if<ProgramList>(&copy.is))
    for (ProgramArgument& item : *list) item = with_tensors(item, program);
  return copy;
}

/// Not through the dispatcher: a trace would record it.
IValue size_of_dimension(const Stack& arguments) {
  return arguments[0].toTensor().size(arguments[1].toInt());
}

}  // namespace

IValue to_ivalue(const ProgramArgument& argument, c10::TypePtr type, const ProgramRun& run) {
  if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  if (const ProgramValue* value = argument.value()) return as_type(run.frame[value->id], type);
  if (const IValue* literal = argument.literal()) return as_type(*literal, type);
  if (const auto* size = std::get_if<SymbolicSize>(&argument.is))
    return as_type(size_at(*size, run.sizes), type);
  const auto list_type = type->cast<c10::ListType>();
  TORCH_CHECK(list_type != nullptr, "expected ", type->str(), ", got a list");
  c10::impl::GenericList items(list_type->getElementType());
  for (const ProgramArgument& item : std::get<ProgramList>(argument.is))
    items.push_back(to_ivalue(item, items.elementType(), run));
  return items;
}

c10::OperatorHandle find_operator_handle(const std::string& op, const std::string& overload,
                                         const std::string& where) {
  const auto found = c10::Dispatcher::singleton().findSchema({op, overload});
  TORCH_CHECK(found.has_value(), "[graph] ", where, ": expected an operator that this process has, got ", op,
              overload.empty() ? "" : ".", overload, "; load the library that defines it");
  return *found;
}

ProgramStep::ProgramStep(const ProgramNode& node, const Program& program, const torch::nn::Module& scope)
    : node_(&node), scope_(&scope) {
  if (node.layer != nullptr) {
    for (const ProgramArgument& each : node.arguments) add_slot(each, program, c10::TensorType::get());
    return;
  }
  arithmetic_ = node.op == "aten::sym_size" ? size_of_dimension : size_arithmetic(node.op);
  if (arithmetic_ != nullptr) {
    for (const ProgramArgument& each : node.arguments) add_slot(each, program, c10::AnyType::get());
    return;
  }
  op_ = find_operator_handle(node.op, node.overload, description(node));
  const auto& parameters = op_->schema().arguments();
  TORCH_CHECK(parameters.size() == node.arguments.size(), "[graph] ", description(node), ": expected ",
              parameters.size(), " arguments, got ", node.arguments.size());
  for (std::size_t i = 0; i < parameters.size(); ++i)
    add_slot(node.arguments[i], program, parameters[i].type());
  find_flags();
  const ProgramTensor* self = node.op == "aten::add_" ? node.arguments[0].tensor() : nullptr;
  only_in_training_ = self != nullptr && program.tensors[self->index].name.ends_with("num_batches_tracked");
}

void ProgramStep::add_slot(const ProgramArgument& argument, const Program& program,
                           const c10::TypePtr& type) {
  ProgramArgument resolved = with_tensors(argument, program);
  if (is_constant(resolved))
    slots_.push_back({to_ivalue(resolved, type, {}), nullptr, type});
  else
    slots_.push_back({IValue(), std::make_shared<ProgramArgument>(std::move(resolved)), type});
}

void ProgramStep::find_flags() {
  const auto& parameters = op_->schema().arguments();
  const auto slot_of = [&](const char* name) {
    const auto index = op_->schema().argumentIndexWithName(name);
    return index.has_value() ? &slots_[static_cast<std::size_t>(*index)] : nullptr;
  };
  const Slot* const running_mean = slot_of("running_mean");
  const bool has_statistics =
      running_mean == nullptr || running_mean->argument != nullptr || !running_mean->constant.isNone();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name();
    IValue& exported = slots_[i].constant;
    const bool is_training = name == "training" || name == "train" || name == "use_input_stats";
    if (exported.isBool() && is_training && has_statistics) {
      flags_.push_back({i, false});
    } else if (exported.isDouble() && name == "dropout_p") {
      flags_.push_back({i, 0.0});
    } else if (name == "cudnn_enabled" || name == "cudnn_enable") {
      exported = true;  // torch.export turns cuDNN off while it traces
    }
  }
  is_random_ = flags_.empty() && op_->hasTag(at::Tag::nondeterministic_seeded);
}

void ProgramStep::replace_device(const c10::Device& from, const c10::Device& to) {
  for (Slot& slot : slots_)
    if (slot.constant.isDevice() && slot.constant.toDevice() == from) slot.constant = to;
}

void ProgramStep::take_arguments(ProgramRun& run) const {
  run.stack.clear();
  for (const Slot& slot : slots_)
    run.stack.push_back(slot.argument != nullptr ? to_ivalue(*slot.argument, slot.type, run) : slot.constant);
  if (!flags_.empty() && !scope_->is_training())
    for (const Flag& flag : flags_) run.stack[flag.slot] = flag.eval;
}

void ProgramStep::give_results(ProgramRun& run) const {
  for (std::size_t i = 0; i < node_->results.size(); ++i) {
    const std::vector<ProgramValue>& values = node_->results[i];
    if (values.size() == 1 && !run.stack[i].isList()) {
      run.frame[values[0].id] = std::move(run.stack[i]);
      continue;
    }
    for (std::size_t k = 0; k < values.size(); ++k) run.frame[values[k].id] = run.stack[i].toListRef().at(k);
  }
  for (const std::size_t id : last_uses) run.frame[id] = IValue();
}

c10::IValue ProgramStep::run_layer(const Stack& arguments) const {
  QATLayer& layer = *node_->layer;
  const auto tensor = [&](std::size_t i) {
    return arguments[i].isNone() ? at::Tensor() : arguments[i].toTensor();
  };
  if (auto* recurrent = dynamic_cast<QATRecurrentImpl*>(&layer))
    return recurrent->forward(tensor(0), tensor(1), tensor(2));
  if (arguments.size() == 1) return layer.compute(arguments[0].toTensor());
  return layer.compute(tensor(0), tensor(1), tensor(2));
}

void ProgramStep::run(ProgramRun& run) const try {
  if (only_in_training_ && !scope_->is_training()) return;
  std::optional<torch::AutoGradMode> grad_mode;
  if (node_->grad_enabled.has_value() && torch::GradMode::is_enabled() != *node_->grad_enabled)
    grad_mode.emplace(*node_->grad_enabled);
  take_arguments(run);
  if (node_->layer != nullptr)
    run.stack = {run_layer(run.stack)};
  else if (arithmetic_ != nullptr)
    run.stack = {arithmetic_(run.stack)};
  else
    op_->callBoxed(run.stack);
  give_results(run);
} catch (const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  if (text.starts_with("[")) throw;  // says what it is about
  TORCH_CHECK(false, "[graph] ", description(*node_), ": ", text);
}

}  // namespace samebits
