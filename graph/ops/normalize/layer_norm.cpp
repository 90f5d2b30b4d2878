#include "graph/ops/normalize/layer_norm.h"

#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const LayerNorm& norm, Types inputs) {
  check_normalized(node, inputs[0], norm.dims, norm.eps, norm.weight, norm.bias);
  return as_input(inputs);
}

}  // namespace

const Operator& layer_norm() {
  static const Operator kOperator = define<LayerNorm, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
