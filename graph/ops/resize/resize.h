// What the operators that change height and width check alike.
#pragma once

#include <array>
#include <cmath>

#include "graph/operator.h"

namespace samebits::graph {

/// NCHW of `size`. Throws GraphError unless sizes and steps are ones that kernels take.
inline TensorType resized_type(const Node& node, const Pair& size, const std::array<float, 2>& steps,
                               const TensorType& input) {
  check_rank(node, input, 4, "[batch, channels, height, width]");
  for (std::size_t axis = 0; axis < 2; ++axis) {
    number(node, input, 2 + axis);
    if (size[axis] < 1 || size[axis] > kMaxElements)
      fail_node(node, "expected a size in 1..", kMaxElements, ", got ", size[axis]);
    if (!std::isfinite(steps[axis]) || steps[axis] < 0)
      fail_node(node, "expected finite steps >= 0, got ", steps[axis]);
  }
  return {Dtype::kFloat32, {input.shape[0], input.shape[1], size[0], size[1]}};
}

}  // namespace samebits::graph
