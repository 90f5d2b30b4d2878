#include "graph/ops/resize/upsample_nearest2d.h"

#include "graph/ops/resize/resize.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const UpsampleNearest2d& upsample, Types inputs) {
  return resized_type(node, upsample.size, {upsample.step_height, upsample.step_width}, inputs[0]);
}

}  // namespace

const Operator& upsample_nearest2d() {
  static const Operator kOperator = define<UpsampleNearest2d, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
