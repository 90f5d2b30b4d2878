#include "graph/ops/shape/permute.h"

#include <algorithm>
#include <numeric>

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Permute& permute, Types inputs) {
  const Shape& x = inputs[0].shape;
  check_max_rank(node, x);
  Sizes every(x.size());
  std::iota(every.begin(), every.end(), 0);
  if (!std::is_permutation(permute.axes.begin(), permute.axes.end(), every.begin(), every.end()))
    fail_node(node, "expected axes that are each of ", io::to_text(every), " once, got ",
              io::to_text(permute.axes));
  TensorType y{inputs[0].dtype, {}};
  for (const std::int64_t axis : permute.axes) y.shape.push_back(x[static_cast<std::size_t>(axis)]);
  return y;
}

}  // namespace

const Operator& permute() {
  static const Operator kOperator = define<Permute, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
