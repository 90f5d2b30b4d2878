// The table, and what shape rules share.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "graph/operator.h"

namespace samebits::graph {

namespace ops {
#define SAMEBITS_OPERATOR(theme, name) const Operator& name();
#include "graph/operators.inc"
}  // namespace ops

std::span<const Operator* const> operators() {
#define SAMEBITS_OPERATOR(theme, name) &ops::name(),
  static const Operator* const kTable[] = {
#include "graph/operators.inc"
  };
  return kTable;
}

const Operator* find_operator(std::string_view name) {
  static const std::unordered_map<std::string_view, const Operator*> kByName = [] {
    std::unordered_map<std::string_view, const Operator*> by_name;
    for (const Operator* op : operators()) by_name.emplace(op->name, op);
    return by_name;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

std::size_t index_of(const Operator& op) {
  const std::span<const Operator* const> all = operators();
  return static_cast<std::size_t>(std::find(all.begin(), all.end(), &op) - all.begin());
}

std::string operator_names() {
  std::string names;
  for (const Operator* op : operators()) names += (names.empty() ? "" : ", ") + std::string(op->name);
  return names;
}

TensorType as_input(Types inputs) {
  return inputs[0];
}

void check_float(const Node& node, const TensorType& input) {
  if (input.dtype != Dtype::kFloat32)
    fail_node(node, "expected an input of float32, got ", to_text(input.dtype));
}

void check_rank(const Node& node, const TensorType& input, std::size_t rank, const char* layout) {
  check_float(node, input);
  if (input.shape.size() != rank)
    fail_node(node, "expected an input of shape ", layout, ", got ", to_text(input.shape));
}

void check_max_rank(const Node& node, const Shape& shape) {
  if (shape.size() > kMaxRank)
    fail_node(node, "expected at most ", kMaxRank, " dimensions, got ", to_text(shape));
}

std::int64_t number(const Node& node, const TensorType& input, std::size_t axis) {
  if (!input.shape[axis].is_number())
    fail_node(node, "expected a number as size ", axis, " of its input, got ", to_text(input.shape));
  return input.shape[axis].offset;
}

}  // namespace samebits::graph
