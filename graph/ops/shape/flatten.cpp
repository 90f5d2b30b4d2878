#include "graph/ops/shape/flatten.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Flatten& flatten, Types inputs) {
  check_float(node, inputs[0]);
  const Shape& x = inputs[0].shape;
  const auto rank = static_cast<std::int64_t>(x.size());
  if (flatten.start_dim < 1 || flatten.start_dim >= rank)
    fail_node(node, "expected start_dim in 1..", rank - 1, " for an input of shape ", to_text(x), ", got ",
              flatten.start_dim);
  const auto kept = static_cast<std::size_t>(flatten.start_dim);
  Dimension size = 1;
  for (std::size_t axis = kept; axis < x.size(); ++axis) {
    if (!size.is_number() && !x[axis].is_number())
      fail_node(node, "expected at most one symbol among the sizes to flatten, got ", to_text(x));
    const std::int64_t factor = size.is_number() ? size.offset : x[axis].offset;
    size = size.is_number() ? x[axis] : size;
    size.offset *= factor;
    for (std::int64_t& each : size.factors) each *= factor;
  }
  TensorType y{Dtype::kFloat32, {x.begin(), x.begin() + flatten.start_dim}};
  y.shape.push_back(size);
  return y;
}

}  // namespace

const Operator& flatten() {
  static const Operator kOperator = define<Flatten, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
