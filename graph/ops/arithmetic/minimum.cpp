#include "graph/ops/arithmetic/minimum.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Minimum&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kFloats);
}

}  // namespace

const Operator& minimum() {
  static const Operator kOperator = define<Minimum, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
