#include "graph/ops/arithmetic/mul.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Mul&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kIntegersToo);
}

}  // namespace

const Operator& mul() {
  static const Operator kOperator = define<Mul, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
