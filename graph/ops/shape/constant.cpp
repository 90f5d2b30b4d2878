#include "graph/ops/shape/constant.h"

#include <algorithm>

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Constant& constant, Types) {
  const ConstantTensor& value = constant.value;
  const std::int64_t count = element_count(node.name + ": value", value.shape);
  if (value.count() != static_cast<std::size_t>(count))
    fail_node(node, "value: expected ", count, " values, got ", value.count());
  if (std::any_of(value.flags.begin(), value.flags.end(), [](std::uint8_t flag) { return flag > 1; }))
    fail_node(node, "value: expected bools of 0 or 1, got others");
  return {value.dtype, {value.shape.begin(), value.shape.end()}};
}

}  // namespace

const Operator& constant() {
  static const Operator kOperator = define<Constant, infer>({.inputs = 0});
  return kOperator;
}

}  // namespace samebits::graph::ops
