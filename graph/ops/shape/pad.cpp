#include "graph/ops/shape/pad.h"

#include <cmath>

namespace samebits::graph::ops {
namespace {

void check_padding(const Node& node, const Pad& pad, const Shape& x) {
  if (pad.before.size() != x.size() || pad.after.size() != x.size())
    fail_node(node, "expected paddings for each dimension of ", to_text(x), ", got ", pad.before.size(),
              " before and ", pad.after.size(), " after");
  for (std::size_t axis = 0; axis < x.size(); ++axis)
    for (const std::int64_t padding : {pad.before[axis], pad.after[axis]}) {
      if (padding < 0 || padding > kMaxWindow)
        fail_node(node, "expected padding in 0..", kMaxWindow, ", got ", padding);
      const bool is_reflected = padding > 0 && pad.mode == PadMode::kReflect;
      if (is_reflected && (!x[axis].is_number() || padding >= x[axis].offset))
        fail_node(node, "expected a reflected padding below the size, got ", padding, " of ",
                  to_text(x[axis]));
    }
}

TensorType infer(const Node& node, const Pad& pad, Types inputs) {
  check_float(node, inputs[0]);
  TensorType y = inputs[0];
  check_max_rank(node, y.shape);
  check_padding(node, pad, y.shape);
  if (!std::isfinite(pad.value) || (pad.mode != PadMode::kConstant && pad.value != 0))
    fail_node(node, "expected a finite value, and 0 where none is padded, got ", pad.value);
  for (std::size_t axis = 0; axis < y.shape.size(); ++axis)
    y.shape[axis] = y.shape[axis] + pad.before[axis] + pad.after[axis];
  return y;
}

}  // namespace

const Operator& pad() {
  static const Operator kOperator = define<Pad, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
