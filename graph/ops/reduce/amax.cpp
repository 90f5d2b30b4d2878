#include "graph/ops/reduce/amax.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Amax& reduced, Types inputs) {
  return infer_reduced(node, reduced, inputs);
}

}  // namespace

const Operator& amax() {
  static const Operator kOperator = define<Amax, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
