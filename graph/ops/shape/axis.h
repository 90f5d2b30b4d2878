// The dimension that an attribute names.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

/// Throws GraphError unless `axis` is one of the shape.
inline std::size_t checked_axis(const Node& node, std::int64_t axis, const Shape& shape) {
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size()))
    fail_node(node, "expected an axis of ", to_text(shape), ", got ", axis);
  return static_cast<std::size_t>(axis);
}

}  // namespace samebits::graph
