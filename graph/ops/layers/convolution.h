// The shape rule of every 2-D convolution.
#pragma once

#include "graph/operator.h"
#include "graph/ops/pool/window.h"

namespace samebits::graph {

/// The output of a convolution C = {stride, padding, dilation, groups} with a weight of these sizes.
template <class C>
TensorType convolution_type(const Node& node, const C& conv, const Sizes& weight, const TensorType& input) {
  check_rank(node, input, 4, "[batch, channels, height, width]");
  const Window window{{weight[2], weight[3]}, conv.stride, conv.padding, conv.dilation};
  Window checked = window;
  checked.kernel = {1, 1};  // the weight has its own bound
  check_window(node, checked);
  if (conv.groups < 1 || weight[0] % conv.groups != 0)
    fail_node(node, "expected groups that divide ", weight[0], " output channels, got ", conv.groups);
  // Divided, not multiplied: sizes come from files.
  const std::int64_t channels = number(node, input, 1);
  if (channels % conv.groups != 0 || channels / conv.groups != weight[1])
    fail_node(node, "expected ", weight[1], " input channels in each of ", conv.groups,
              " groups, got an input of ", to_text(input.shape));
  const Pair positions = window_positions(node, input, window);
  return {Dtype::kFloat32, {input.shape[0], weight[0], positions[0], positions[1]}};
}

}  // namespace samebits::graph
