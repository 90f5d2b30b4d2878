#include "graph/ops/pool/avg_pool2d.h"

#include "graph/ops/pool/window.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const AvgPool2d& pool, Types inputs) {
  check_rank(node, inputs[0], 4, "[batch, channels, height, width]");
  const Window window{pool.kernel, pool.stride, pool.padding, {1, 1}, pool.ceil_mode};
  check_window(node, window);
  check_pool_padding(node, window);
  const Pair positions = window_positions(node, inputs[0], window);
  return {Dtype::kFloat32, {inputs[0].shape[0], inputs[0].shape[1], positions[0], positions[1]}};
}

}  // namespace

const Operator& avg_pool2d() {
  static const Operator kOperator = define<AvgPool2d, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
