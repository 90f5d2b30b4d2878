#include "graph/ops/logic/cast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Cast& cast, Types inputs) {
  if (inputs[0].dtype == Dtype::kFloat32 && cast.dtype == Dtype::kInt64)
    fail_node(node, "expected a cast to float32 or bool, got one of float32 to int64");
  return {cast.dtype, inputs[0].shape};
}

}  // namespace

const Operator& cast() {
  static const Operator kOperator = define<Cast, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
