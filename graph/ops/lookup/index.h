// What operators that look up places check alike.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

/// Throws GraphError unless the input is int64.
inline void check_index(const Node& node, const TensorType& index) {
  if (index.dtype != Dtype::kInt64) fail_node(node, "expected an index of int64, got ", to_text(index.dtype));
}

}  // namespace samebits::graph
