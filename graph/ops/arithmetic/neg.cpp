#include "graph/ops/arithmetic/neg.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Neg&, Types inputs) {
  check_float(node, inputs[0]);
  return as_input(inputs);
}

}  // namespace

const Operator& neg() {
  static const Operator kOperator = define<Neg, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
