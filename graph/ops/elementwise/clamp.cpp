#include "graph/ops/elementwise/clamp.h"

#include <cmath>

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Clamp& clamp, Types inputs) {
  check_float(node, inputs[0]);
  const bool has_bound = std::isfinite(clamp.low) || std::isfinite(clamp.high);
  if (!has_bound || clamp.low == kNoHigh || clamp.high == kNoLow || !(clamp.low <= clamp.high))
    fail_node(node, "expected a finite bound or two with low <= high, got ", clamp.low, " and ", clamp.high);
  return as_input(inputs);
}

}  // namespace

const Operator& clamp() {
  static const Operator kOperator = define<Clamp, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
