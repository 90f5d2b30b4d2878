#include "graph/ops/shape/slice.h"

#include "graph/ops/shape/axis.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Slice& slice, Types inputs) {
  check_max_rank(node, inputs[0].shape);
  TensorType y = inputs[0];
  Dimension& size = y.shape[checked_axis(node, slice.axis, y.shape)];
  const bool has_numbers = slice.begin.is_number() && slice.end.is_number();
  if (slice.step < 1 || slice.step > kMaxElements || (slice.step != 1 && !has_numbers))
    fail_node(node, "expected a step >= 1, and of 1 where a bound depends on a symbol, got ", slice.step);
  const bool is_beyond = size.is_number() && slice.end.is_number() && slice.end.offset > size.offset;
  if (is_beyond || (slice.begin.is_number() && slice.begin.offset < 0) ||
      (has_numbers && slice.begin.offset >= slice.end.offset))
    fail_node(node, "expected 0 <= begin < end <= ", to_text(size), ", got ", to_text(slice.begin), " and ",
              to_text(slice.end));
  size = slice.end - slice.begin;
  if (slice.step != 1) size = (size.offset + slice.step - 1) / slice.step;
  return y;
}

}  // namespace

const Operator& slice() {
  static const Operator kOperator = define<Slice, infer>({.keeps_order = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
