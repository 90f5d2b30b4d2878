// What readers ask a walk: constants, sizes and shapes, in symbols where they follow the batch, and tensors
// that the model does not compute from its inputs.
#include <algorithm>

#include "torch_ext/graph/trace_reader.h"

namespace samebits {

namespace jit = torch::jit;

void TraceWalk::check_constant(const Node* node, std::size_t input, const char* what) const {
  TORCH_CHECK(!traced_.alignment.varies(node->input(input)), "[export] after ", previous(), ": expected ",
              what, " of ", node->kind().toQualString(), " that do not follow the batch, got ",
              *jit::toIValue(node->input(input)), " for the example and another for another batch");
}

std::vector<const jit::Value*> TraceWalk::values(const Node* node, std::size_t input) const {
  const Node* list = node->input(input)->node();
  TORCH_CHECK(list->kind() == jit::prim::ListConstruct, "[export] after ", previous(),
              ": expected a list of tensors, got ", list->kind().toQualString());
  return {list->inputs().begin(), list->inputs().end()};
}

std::vector<const jit::Value*> TraceWalk::results(const Node* node) const {
  const bool is_list =
      node->outputs().size() == 1 && node->output()->type()->kind() == c10::TypeKind::ListType;
  if (!is_list) return {node->outputs().begin(), node->outputs().end()};
  for (const auto& use : node->output()->uses())
    if (use.user->kind() == jit::prim::ListUnpack)
      return {use.user->outputs().begin(), use.user->outputs().end()};
  TORCH_CHECK(false, "[export] after ", previous(), ": expected the list that ", node->kind().toQualString(),
              " gives to be read item by item, got another use");
}

std::vector<std::int64_t> TraceWalk::integers(const Node* node, std::size_t input, const char* what) const {
  const Node* list = node->input(input)->node();
  if (list->kind() != jit::prim::ListConstruct) return constant<std::vector<std::int64_t>>(node, input, what);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < list->inputs().size(); ++i)
    values.push_back(constant<std::int64_t>(list, i, what));
  return values;
}

graph::Dimension TraceWalk::dimension_of(const std::optional<SymbolicSize>& size, const Node* node,
                                         const char* what) const {
  TORCH_CHECK(size.has_value() && size->product == 0, "[export] after ", previous(), ": expected ", what,
              " of ", node->kind().toQualString(),
              " to be a number plus multiples of the batch and the sequence, got another function of them");
  return size->linear;
}

graph::Dimension TraceWalk::dimension(const Node* node, std::size_t input, const char* what) const {
  const Value* value = node->input(input);
  const auto constant = jit::toIValue(value);
  TORCH_CHECK(constant.has_value() && constant->isInt(), "[export] after ", previous(),
              ": expected an integer constant as ", what, " of ", node->kind().toQualString(),
              ", got another value");
  return dimension_of(traced_.alignment.size(value), node, what);
}

std::vector<graph::Dimension> TraceWalk::dimensions(const Node* node, std::size_t input,
                                                    const char* what) const {
  const Value* value = node->input(input);
  std::vector<graph::Dimension> dimensions;
  if (value->node()->kind() == jit::prim::ListConstruct) {
    for (std::size_t i = 0; i < value->node()->inputs().size(); ++i)
      dimensions.push_back(dimension(value->node(), i, what));
    return dimensions;
  }
  const auto constant = jit::toIValue(value);
  TORCH_CHECK(constant.has_value() && constant->isIntList(), "[export] after ", previous(),
              ": expected a list of integers as ", what, " of ", node->kind().toQualString(),
              ", got another value");
  const auto sizes = traced_.alignment.sizes(value);
  for (std::size_t i = 0; i < constant->toIntVector().size(); ++i)
    dimensions.push_back(
        dimension_of(sizes.has_value() ? std::optional(sizes->at(i)) : std::nullopt, node, what));
  return dimensions;
}

graph::Shape TraceWalk::shape_of(const Value* value) const {
  const auto shape = traced_.alignment.shape(value);
  const bool is_linear = shape.has_value() && std::ranges::all_of(*shape, [](const SymbolicSize& size) {
                           return size.product == 0;
                         });
  TORCH_CHECK(is_linear, "[export] after ", previous(),
              ": expected sizes that are numbers plus multiples of the batch and the sequence, got ",
              at::IntArrayRef(sizes_of(value)), ", which follow them in another way");
  graph::Shape dimensions;
  for (const SymbolicSize& size : *shape) dimensions.push_back(size.linear);
  return dimensions;
}

std::vector<std::int64_t> TraceWalk::sizes_of(const Value* value) const {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type == nullptr ? std::nullopt : type->sizes().concrete_sizes();
  TORCH_CHECK(sizes.has_value(), "[export] ", value->debugName(), ": expected a tensor of known shape, got ",
              value->type()->str());
  return *sizes;
}

torch::ScalarType TraceWalk::dtype_of(const Value* value) const {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto dtype = type == nullptr ? std::nullopt : type->scalarType();
  TORCH_CHECK(dtype.has_value(), "[export] ", value->debugName(), ": expected a tensor of known dtype, got ",
              value->type()->str());
  return *dtype;
}

bool TraceWalk::follows_sizes(const Value* value) const {
  if (traced_.alignment.varies(value)) return true;
  return std::ranges::any_of(value->node()->inputs(),
                             [&](const Value* input) { return follows_sizes(input); });
}

c10::IValue TraceWalk::evaluate(const Value* value) const {
  if (const auto tensor = traced_.tensors.find(value); tensor != traced_.tensors.end()) return tensor->second;
  if (auto constant = jit::toIValue(value)) return *constant;
  const Node* node = value->node();
  const bool is_list = node->kind() == jit::prim::ListConstruct;
  const c10::FunctionSchema* schema = node->maybeSchema();
  TORCH_CHECK(is_list || (schema != nullptr && !is_from_input(value)), "[export] after ", previous(),
              ": expected what parameters and constants alone make, got the result of ",
              node->kind().toQualString());
  jit::Stack stack;
  for (const Value* input : node->inputs()) {
    c10::IValue each = evaluate(input);
    const bool is_written = schema != nullptr && schema->is_mutable() && traced_.tensors.contains(input);
    stack.push_back(is_written ? c10::IValue(each.toTensor().clone()) : each);
  }
  if (!is_list) {
    node->getOperation()(stack);
    return stack.at(value->offset());
  }
  c10::impl::GenericList list(value->type()->expectRef<c10::ListType>().getElementType());
  for (c10::IValue& each : stack) list.push_back(std::move(each));
  return list;
}

torch::Tensor TraceWalk::tensor(const Node* node, std::size_t input, const char* what) const {
  const Value* value = node->input(input);
  TORCH_CHECK(!is_from_input(value) && !follows_sizes(value), "[export] after ", previous(), ": expected ",
              what, " of ", node->kind().toQualString(),
              " to be a parameter, a constant or made of these alone, got what follows the input");
  const torch::NoGradGuard no_grad;
  const c10::IValue result = evaluate(value);
  return result.isNone() ? torch::Tensor() : result.toTensor();
}

}  // namespace samebits
