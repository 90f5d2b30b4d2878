#include "graph/ops/reduce/adaptive_avg_pool2d.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const AdaptiveAvgPool2d& pool, Types inputs) {
  check_rank(node, inputs[0], 4, "[batch, channels, height, width]");
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (number(node, inputs[0], 2 + axis) < 1)
      fail_node(node, "expected a height and width >= 1, got ", to_text(inputs[0].shape));
    if (pool.output_size[axis] < 1 || pool.output_size[axis] > kMaxWindow)
      fail_node(node, "expected output sizes in 1..", kMaxWindow, ", got ", pool.output_size[axis]);
  }
  return {Dtype::kFloat32,
          {inputs[0].shape[0], inputs[0].shape[1], pool.output_size[0], pool.output_size[1]}};
}

}  // namespace

const Operator& adaptive_avg_pool2d() {
  static const Operator kOperator = define<AdaptiveAvgPool2d, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
