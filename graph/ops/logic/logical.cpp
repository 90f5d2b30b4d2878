#include "graph/ops/logic/logical.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Logical&, Types inputs) {
  for (const TensorType& input : inputs)
    if (input.dtype != Dtype::kBool)
      fail_node(node, "expected two inputs of bool, got ", to_text(input.dtype));
  return {Dtype::kBool, broadcast_shape(node, inputs)};
}

}  // namespace

const Operator& logical() {
  static const Operator kOperator = define<Logical, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
