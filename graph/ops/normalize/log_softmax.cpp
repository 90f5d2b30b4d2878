#include "graph/ops/normalize/log_softmax.h"

#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const LogSoftmax& softmax, Types inputs) {
  check_dim(node, inputs[0], softmax.dim);
  return as_input(inputs);
}

}  // namespace

const Operator& log_softmax() {
  static const Operator kOperator = define<LogSoftmax, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
