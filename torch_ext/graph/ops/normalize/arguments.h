// Arguments of norms and of softmax in a trace.
#pragma once

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

/// Empty where there is no tensor.
inline std::vector<float> floats_of(const torch::Tensor& tensor) {
  return tensor.defined() ? values_of<float>(tensor.to(torch::kFloat)) : std::vector<float>();
}

/// The dimension at input 1, counted from the start.
inline std::int64_t read_dim(const TraceWalk& walk, const torch::jit::Node* node) {
  const auto dim = walk.constant<std::int64_t>(node, 1, "dimension");
  return dim < 0 ? dim + static_cast<std::int64_t>(walk.sizes_of(node->input(0)).size()) : dim;
}

}  // namespace samebits::trace_ops
