#include "graph/ops/layers/float_linear.h"

#include "graph/ops/layers/quantized_layer.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const FloatLinear& linear, Types inputs) {
  check_float_layer(node, linear.weight, channel_values(linear), 2, "[out, in]");
  check_float(node, inputs[0]);
  const Sizes& weight = linear.weight.shape;
  const Shape& x = inputs[0].shape;
  if (x.size() < 2 || x.back() != Dimension(weight[1]))
    fail_node(node, "expected an input of shape [batch, ..., ", weight[1], "] for its weight, got ",
              to_text(x));
  TensorType y = inputs[0];
  y.shape.back() = weight[0];
  return y;
}

}  // namespace

const Operator& float_linear() {
  static const Operator kOperator = define<FloatLinear, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
