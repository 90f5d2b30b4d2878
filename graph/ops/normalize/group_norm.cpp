#include "graph/ops/normalize/group_norm.h"

#include <cmath>
#include "graph/ops/normalize/normalized.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const GroupNorm& norm, Types inputs) {
  const std::int64_t channels = checked_channels(node, inputs[0]);
  if (norm.groups < 1 || channels % norm.groups != 0)
    fail_node(node, "expected groups that divide ", channels, " channels, got ", norm.groups);
  if (!std::isfinite(norm.eps) || norm.eps < 0) fail_node(node, "expected a finite eps >= 0, got ", norm.eps);
  check_channel_values(node, "weight", norm.weight, channels);
  check_channel_values(node, "bias", norm.bias, channels);
  return as_input(inputs);
}

}  // namespace

const Operator& group_norm() {
  static const Operator kOperator = define<GroupNorm, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
