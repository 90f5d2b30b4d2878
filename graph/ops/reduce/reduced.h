// Dimensions that are reduced: [first_dim, last_dim], side by side.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

/// The attributes of an operator that reduces rows to an element each.
struct Reduced {
  std::int64_t first_dim = 1, last_dim = 1;
  bool keepdim = false;  // with size 1

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("first_dim", self.first_dim);
    visit("last_dim", self.last_dim);
    visit("keepdim", self.keepdim);
  }
  friend bool operator==(const Reduced&, const Reduced&) = default;
};

/// The type that is left of the input, with its dtype. Throws GraphError unless it is float32 and has the
/// dimensions.
TensorType infer_reduced(const Node& node, const Reduced& reduced, Types inputs);

}  // namespace samebits::graph
