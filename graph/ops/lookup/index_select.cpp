#include "graph/ops/lookup/index_select.h"

#include "graph/ops/lookup/index.h"
#include "graph/ops/shape/axis.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const IndexSelect& select, Types inputs) {
  const Shape& x = inputs[0].shape;
  const auto axis = static_cast<std::ptrdiff_t>(checked_axis(node, select.axis, x));
  check_index(node, inputs[1]);
  TensorType y{inputs[0].dtype, {x.begin(), x.begin() + axis}};
  y.shape.insert(y.shape.end(), inputs[1].shape.begin(), inputs[1].shape.end());
  y.shape.insert(y.shape.end(), x.begin() + axis + 1, x.end());
  check_max_rank(node, y.shape);
  return y;
}

}  // namespace

const Operator& index_select() {
  static const Operator kOperator = define<IndexSelect, infer>({.inputs = 2, .keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
