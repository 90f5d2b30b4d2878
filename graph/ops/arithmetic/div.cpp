#include "graph/ops/arithmetic/div.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Div&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kFloats);
}

}  // namespace

const Operator& div() {
  static const Operator kOperator = define<Div, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
