#include "graph/ops/normalize/batch_norm.h"

#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const BatchNorm& norm, Types inputs) {
  const std::int64_t channels = checked_channels(node, inputs[0]);
  if (norm.scale.empty() || norm.bias.empty()) fail_node(node, "expected a scale and a bias, got none");
  check_channel_values(node, "scale", norm.scale, channels);
  check_channel_values(node, "bias", norm.bias, channels);
  return as_input(inputs);
}

}  // namespace

const Operator& batch_norm() {
  static const Operator kOperator = define<BatchNorm, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
