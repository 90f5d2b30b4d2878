#include "graph/ops/arithmetic/broadcast.h"

#include <algorithm>

namespace samebits::graph {

Shape broadcast_shape(const Node& node, Types inputs) {
  std::size_t rank = 0;
  for (const TensorType& input : inputs) rank = std::max(rank, input.shape.size());
  Shape y(rank, Dimension(1));
  check_max_rank(node, y);
  for (const TensorType& input : inputs)
    for (std::size_t axis = 0; axis < input.shape.size(); ++axis) {
      const Dimension& size = input.shape[axis];
      Dimension& common = y[rank - input.shape.size() + axis];
      if (size == Dimension(1) || size == common) continue;
      if (common != Dimension(1)) {
        std::string shapes;
        for (const TensorType& each : inputs) shapes += (shapes.empty() ? "" : " and ") + to_text(each.shape);
        fail_node(node, "expected inputs whose sizes are equal or 1, got ", shapes);
      }
      common = size;
    }
  return y;
}

TensorType arithmetic_type(const Node& node, Types inputs, Takes takes) {
  const Dtype dtype = inputs[0].dtype;
  for (const TensorType& input : inputs)
    if (input.dtype != dtype || dtype == Dtype::kBool || (dtype == Dtype::kInt64 && takes == Takes::kFloats))
      fail_node(node, "expected inputs of float32", takes == Takes::kFloats ? "" : ", or all of int64",
                ", got ", to_text(dtype), " and ", to_text(inputs[1].dtype));
  return {dtype, broadcast_shape(node, inputs)};
}

}  // namespace samebits::graph
