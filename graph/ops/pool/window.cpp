#include "graph/ops/pool/window.h"

#include "graph/operator.h"

namespace samebits::graph {

void check_window(const Node& node, const Window& window) {
  for (const auto* sizes : {&window.kernel, &window.stride, &window.dilation})
    for (const std::int64_t size : *sizes)
      if (size < 1 || size > kMaxWindow)
        fail_node(node, "expected kernel, stride and dilation in 1..", kMaxWindow, ", got ", size);
  for (const std::int64_t padding : window.padding)
    if (padding < 0 || padding > kMaxWindow)
      fail_node(node, "expected padding in 0..", kMaxWindow, ", got ", padding);
}

void check_pool_padding(const Node& node, const Window& window) {
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t limit = window.kernel[axis] / 2;
    if (window.padding[axis] > limit)
      fail_node(node, "expected padding of at most half the kernel, ", limit, ", got ", window.padding[axis]);
  }
}

Pair window_positions(const Node& node, const TensorType& input, const Window& window) {
  Pair positions = {};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t size = number(node, input, 2 + axis);
    const std::int64_t stride = window.stride[axis], padding = window.padding[axis];
    const std::int64_t span = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    const std::int64_t room = size + 2 * padding - span + (window.ceil_mode ? stride - 1 : 0);
    if (room < 0)
      fail_node(node, "expected a window within ", size + 2 * padding, " padded elements, got ", span);
    positions[axis] = room / stride + 1;
    // It must begin inside the input or its left padding.
    if (window.ceil_mode && (positions[axis] - 1) * stride >= size + padding) --positions[axis];
  }
  return positions;
}

}  // namespace samebits::graph
