#include "graph/ops/functions/leaky_relu.h"

#include <cmath>

#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const LeakyRelu& relu, Types inputs) {
  if (!std::isfinite(relu.negative_slope))
    fail_node(node, "expected a finite negative_slope, got ", relu.negative_slope);
  return infer_function(node, relu, inputs);
}

}  // namespace

const Operator& leaky_relu() {
  static const Operator kOperator = define<LeakyRelu, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
