#include "graph/ops/layers/conv2d.h"

#include "graph/ops/layers/convolution.h"
#include "graph/ops/layers/quantized_layer.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Conv2d& conv, Types inputs) {
  if (conv.weight.encoding.granularity == quant::Granularity::kPerGroup)
    fail_node(node, "weight: expected group_size 0 of a conv2d, got ", conv.weight.encoding.group_size);
  check_layer(node, conv.input_grid, conv.weight, channel_values(conv), 4,
              "[out, in / groups, height, width]");
  return convolution_type(node, conv, conv.weight.shape, inputs[0]);
}

}  // namespace

const Operator& conv2d() {
  static const Operator kOperator = define<Conv2d, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
