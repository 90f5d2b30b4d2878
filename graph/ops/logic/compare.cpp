#include "graph/ops/logic/compare.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Compare&, Types inputs) {
  return {Dtype::kBool, arithmetic_type(node, inputs, Takes::kIntegersToo).shape};
}

}  // namespace

const Operator& compare() {
  static const Operator kOperator = define<Compare, infer>({.inputs = 2});
  return kOperator;
}

}  // namespace samebits::graph::ops
