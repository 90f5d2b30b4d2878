#include "graph/ops/arithmetic/sub.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Sub&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kIntegersToo);
}

}  // namespace

const Operator& sub() {
  static const Operator kOperator = define<Sub, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
