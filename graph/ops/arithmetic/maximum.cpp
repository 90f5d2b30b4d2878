#include "graph/ops/arithmetic/maximum.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Maximum&, Types inputs) {
  return arithmetic_type(node, inputs, Takes::kFloats);
}

}  // namespace

const Operator& maximum() {
  static const Operator kOperator = define<Maximum, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
