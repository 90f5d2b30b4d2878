// index_select: x[…, index, …]: the elements of x at int64 places along a dimension, in whose place the
// dimensions of the index stand. Any dtype. A place outside of the dimension is an error.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct IndexSelect {
  static constexpr const char* kName = "index_select";
  std::int64_t axis = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("axis", self.axis);
  }
  friend bool operator==(const IndexSelect&, const IndexSelect&) = default;
};

}  // namespace samebits::graph
