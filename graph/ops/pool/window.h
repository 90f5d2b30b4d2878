// Windows that move over [batch, channels, height, width]: what convolutions and pools check and count alike.
// Formulas are LibTorch's (aten/src/ATen/native/Pool.h).
#pragma once

#include "graph/graph.h"

namespace samebits::graph {

struct Window {
  Pair kernel, stride, padding, dilation;
  bool ceil_mode = false;  // a last window may reach beyond the padded input
};

/// Throws GraphError unless each field is one that kernels take.
void check_window(const Node& node, const Window& window);
/// Throws GraphError unless padding is at most half of the kernel, as pools need it.
void check_pool_padding(const Node& node, const Window& window);

/// Positions of a checked window along height and width. Throws GraphError when it does not fit.
Pair window_positions(const Node& node, const TensorType& input, const Window& window);

}  // namespace samebits::graph
