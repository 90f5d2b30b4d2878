#include "graph/ops/shape/cat.h"

#include "graph/ops/shape/axis.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Cat& cat, Types inputs) {
  TensorType y = inputs[0];
  const std::size_t axis = checked_axis(node, cat.axis, y.shape);
  for (const TensorType& input : inputs.subspan(1)) {
    TensorType aligned = input;
    if (input.shape.size() == y.shape.size()) aligned.shape[axis] = inputs[0].shape[axis];
    if (aligned != inputs[0])
      fail_node(node, "expected inputs of one dtype and, but for dimension ", axis, ", one shape, got ",
                to_text(inputs[0].dtype), " ", to_text(inputs[0].shape), " and ", to_text(input.dtype), " ",
                to_text(input.shape));
    y.shape[axis] = y.shape[axis] + input.shape[axis];
  }
  return y;
}

}  // namespace

const Operator& cat() {
  static const Operator kOperator = define<Cat, infer>({.inputs = kAnyInputs, .keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
