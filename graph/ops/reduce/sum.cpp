#include "graph/ops/reduce/sum.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Sum& reduced, Types inputs) {
  return infer_reduced(node, reduced, inputs);
}

}  // namespace

const Operator& sum() {
  static const Operator kOperator = define<Sum, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
