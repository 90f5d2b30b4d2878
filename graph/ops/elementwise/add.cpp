#include "graph/ops/elementwise/add.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Add&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kIntegersToo);
}

}  // namespace

const Operator& add() {
  static const Operator kOperator = define<Add, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
