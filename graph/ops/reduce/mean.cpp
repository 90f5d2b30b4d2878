#include "graph/ops/reduce/mean.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Mean& reduced, Types inputs) {
  return infer_reduced(node, reduced, inputs);
}

}  // namespace

const Operator& mean() {
  static const Operator kOperator = define<Mean, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
