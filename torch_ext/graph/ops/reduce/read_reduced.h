// What the readers of reductions share.
#pragma once

#include <algorithm>

#include "graph/ops/reduce/reduced.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

/// samebits::mean(x, dim, keepdim, …) and its like. No dim: all dimensions.
template <class A>
void read_reduced(TraceWalk& walk, const torch::jit::Node* node) {
  const auto rank = static_cast<std::int64_t>(walk.sizes_of(node->input(0)).size());
  std::vector<std::int64_t> dims;
  if (!node->input(1)->mustBeNone()) dims = walk.integers(node, 1, "dimensions");
  for (std::int64_t& dim : dims) dim += dim < 0 ? rank : 0;
  if (dims.empty())
    for (std::int64_t dim = 0; dim < rank; ++dim) dims.push_back(dim);
  std::sort(dims.begin(), dims.end());
  TORCH_CHECK(dims.back() - dims.front() + 1 == static_cast<std::int64_t>(dims.size()), "[export] ",
              walk.made_name(A::kName), ": expected dimensions side by side, got ", at::IntArrayRef(dims),
              "; permute the others out of the way");
  A attributes;
  attributes.first_dim = dims.front();
  attributes.last_dim = dims.back();
  attributes.keepdim = walk.constant<bool>(node, 2, "keepdim");
  walk.add(attributes, {node->input(0)}, node->output(0));
}

}  // namespace samebits::trace_ops
