#include "graph/ops/shape/reshape.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Reshape& reshape, Types inputs) {
  if (!have_as_many_elements(inputs[0].shape, reshape.shape))
    fail_node(node, "expected a shape of as many elements as ", to_text(inputs[0].shape), ", got ",
              to_text(reshape.shape));
  return {inputs[0].dtype, reshape.shape};
}

}  // namespace

const Operator& reshape() {
  static const Operator kOperator = define<Reshape, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
