#include "graph/ops/normalize/rms_norm.h"

#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const RmsNorm& norm, Types inputs) {
  check_normalized(node, inputs[0], norm.dims, norm.eps, norm.weight, {});
  return as_input(inputs);
}

}  // namespace

const Operator& rms_norm() {
  static const Operator kOperator = define<RmsNorm, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
