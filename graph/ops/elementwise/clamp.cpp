#include "graph/ops/elementwise/clamp.h"

#include <cmath>

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Clamp& clamp, Types inputs) {
  check_float(node, inputs[0]);
  if (!std::isfinite(clamp.low) || !std::isfinite(clamp.high) || clamp.low > clamp.high)
    fail_node(node, "expected finite bounds with low <= high, got ", clamp.low, " and ", clamp.high);
  return as_input(inputs);
}

}  // namespace

const Operator& clamp() {
  static const Operator kOperator = define<Clamp, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
