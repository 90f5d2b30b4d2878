#include "graph/ops/resize/upsample_bilinear2d.h"

#include "graph/ops/resize/resize.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const UpsampleBilinear2d& upsample, Types inputs) {
  return resized_type(node, upsample.size, {upsample.step_height, upsample.step_width}, inputs[0]);
}

}  // namespace

const Operator& upsample_bilinear2d() {
  static const Operator kOperator = define<UpsampleBilinear2d, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
