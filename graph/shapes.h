// The shape of every value of a graph: check() asks whether there is one, the interpreter allocates by it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "io/error.h"

namespace samebits::runtime {

using Shape = std::vector<std::int64_t>;

/// The most elements of a weight, or of one image at any node, and the largest stride, padding, dilation and
/// pool kernel. Products of what files say then fit int64.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;
constexpr std::int64_t kMaxWindow = std::int64_t{1} << 15;

/// Throws GraphError: the node's name, then the parts.
template <class... Parts>
[[noreturn]] void fail_node(const Node& node, const Parts&... parts) {
  throw io::GraphError(io::join(node.name, ": ", parts...));
}

/// The product of `sizes`. Throws GraphError, beginning with `name`, unless every size is >= 1 and the
/// product is
/// <= kMaxElements.
std::int64_t element_count(const std::string& name, std::span<const std::int64_t> sizes);

/// The product of the sizes behind the batch.
std::int64_t elements_per_image(const std::string& name, const Shape& shape);

/// Throws GraphError unless the shape and the group size of a linear's or conv2d's weight are possible ones.
void check_weight_shape(const Node& node);

/// The shape of the node's output; the batch, -1, stays first. Throws GraphError when the inputs do not fit
/// the node. The weight's own shape is already checked.
Shape output_shape(const Node& node, const std::vector<Shape>& inputs);

/// Throws GraphError like check(); see graph.h. Returns the shape of the input value and of every node's
/// output.
std::vector<Shape> checked_shapes(const Graph& graph);

}  // namespace samebits::runtime
