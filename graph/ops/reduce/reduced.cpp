#include "graph/ops/reduce/reduced.h"

namespace samebits::graph {

TensorType infer_reduced(const Node& node, const Reduced& reduced, Types inputs) {
  check_float(node, inputs[0]);
  const Shape& shape = inputs[0].shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  if (reduced.first_dim < 0 || reduced.last_dim < reduced.first_dim || reduced.last_dim >= rank)
    fail_node(node, "expected 0 <= first_dim <= last_dim < ", rank, " for an input of shape ", to_text(shape),
              ", got ", reduced.first_dim, " and ", reduced.last_dim);
  TensorType y;
  for (std::int64_t dim = 0; dim < rank; ++dim) {
    const bool is_reduced = reduced.first_dim <= dim && dim <= reduced.last_dim;
    if (!is_reduced) y.shape.push_back(shape[dim]);
    if (is_reduced && reduced.keepdim) y.shape.emplace_back(1);
  }
  return y;
}

}  // namespace samebits::graph
