#include "graph/ops/elementwise/add.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Add&, Types inputs) {
  for (const TensorType& input : inputs) check_float(node, input);
  if (inputs[0] != inputs[1])
    fail_node(node, "expected two inputs of one shape, got ", to_text(inputs[0].shape), " and ",
              to_text(inputs[1].shape));
  return as_input(inputs);
}

}  // namespace

const Operator& add() {
  static const Operator kOperator = define<Add, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
