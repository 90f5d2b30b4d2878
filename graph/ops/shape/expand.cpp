#include "graph/ops/shape/expand.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Expand& expand, Types inputs) {
  const Shape &x = inputs[0].shape, &y = expand.shape;
  check_max_rank(node, y);
  bool fits = x.size() <= y.size();
  for (std::size_t axis = 0; fits && axis < x.size(); ++axis)
    fits = x[axis] == Dimension(1) || x[axis] == y[y.size() - x.size() + axis];
  if (!fits) fail_node(node, "expected a shape to which ", to_text(x), " expands, got ", to_text(y));
  return {inputs[0].dtype, y};
}

}  // namespace

const Operator& expand() {
  static const Operator kOperator = define<Expand, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
