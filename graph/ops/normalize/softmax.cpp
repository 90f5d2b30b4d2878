#include "graph/ops/normalize/softmax.h"

#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Softmax& softmax, Types inputs) {
  check_dim(node, inputs[0], softmax.dim);
  return as_input(inputs);
}

}  // namespace

const Operator& softmax() {
  static const Operator kOperator = define<Softmax, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
