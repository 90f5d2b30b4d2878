#include "graph/ops/elementwise/relu.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Relu&, Types inputs) {
  check_float(node, inputs[0]);
  return as_input(inputs);
}

}  // namespace

const Operator& relu() {
  static const Operator kOperator = define<Relu, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
