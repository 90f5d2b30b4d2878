#include "graph/ops/layers/float_conv2d.h"

#include "graph/ops/layers/convolution.h"
#include "graph/ops/layers/quantized_layer.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const FloatConv2d& conv, Types inputs) {
  check_float_layer(node, conv.weight, channel_values(conv), 4, "[out, in / groups, height, width]");
  return convolution_type(node, conv, conv.weight.shape, inputs[0]);
}

}  // namespace

const Operator& float_conv2d() {
  static const Operator kOperator = define<FloatConv2d, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
