// What ATen's operators that change height and width say of them.
#pragma once

#include "kernels/float/resize_step.h"
#include "torch_ext/graph/operands.h"

namespace samebits {

struct ResizeSteps {
  graph::Pair size;  // of y
  std::array<float, 2> steps;
};

/// Of a node whose input `factors` is a list of factors or None, or the first of two factors.
inline ResizeSteps resize_steps(const TraceWalk& walk, const torch::jit::Node* node, std::size_t factors,
                                bool align_corners) {
  const std::vector<std::int64_t> x = walk.sizes_of(node->input(0)), y = walk.sizes_of(node->output(0));
  const bool is_list = node->inputs().size() == factors + 1;
  const auto factor = [&](std::size_t axis) -> std::optional<double> {
    if (is_none(node, is_list ? factors : factors + axis)) return std::nullopt;
    return is_list ? walk.constant<std::vector<double>>(node, factors, "factors")[axis]
                   : walk.constant<double>(node, factors + axis, "factor");
  };
  ResizeSteps steps{{y[2], y[3]}, {}};
  for (const std::size_t axis : {0u, 1u})
    steps.steps[axis] = kernels::resize_step(x[2 + axis], y[2 + axis], align_corners, factor(axis));
  return steps;
}

}  // namespace samebits
