#include "graph/ops/arithmetic/abs.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Abs&, Types inputs) {
  check_float(node, inputs[0]);
  return as_input(inputs);
}

}  // namespace

const Operator& abs() {
  static const Operator kOperator = define<Abs, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
