#include "graph/ops/logic/where.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Where&, Types inputs) {
  if (inputs[0].dtype != Dtype::kBool)
    fail_node(node, "expected a condition of bool, got ", to_text(inputs[0].dtype));
  if (inputs[1].dtype != inputs[2].dtype)
    fail_node(node, "expected two values of one dtype, got ", to_text(inputs[1].dtype), " and ",
              to_text(inputs[2].dtype));
  return {inputs[1].dtype, broadcast_shape(node, inputs)};
}

}  // namespace

const Operator& where() {
  static const Operator kOperator = define<Where, infer>({.inputs = 3});
  return kOperator;
}

}  // namespace samebits::graph::ops
