#include "graph/ops/lookup/gather.h"

#include "graph/ops/lookup/index.h"
#include "graph/ops/shape/axis.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Gather& gather, Types inputs) {
  const Shape &x = inputs[0].shape, &index = inputs[1].shape;
  const std::size_t gathered = checked_axis(node, gather.axis, x);
  check_index(node, inputs[1]);
  check_max_rank(node, x);
  bool fits = index.size() == x.size();
  for (std::size_t axis = 0; fits && axis < x.size(); ++axis)
    fits = axis == gathered || index[axis] == x[axis] ||
           (index[axis].is_number() && x[axis].is_number() && index[axis].offset <= x[axis].offset);
  if (!fits)
    fail_node(node, "expected an index of at most ", to_text(x), " but for dimension ", gathered, ", got ",
              to_text(index));
  return {inputs[0].dtype, index};
}

}  // namespace

const Operator& gather() {
  static const Operator kOperator = define<Gather, infer>({.inputs = 2, .keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
