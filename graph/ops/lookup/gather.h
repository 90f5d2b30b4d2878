// gather: y[i, j, …] = x[i, index[i, j, …], …] for dimension 1, and so on. Any dtype; an int64 index of the
// rank of x, not larger in the other dimensions. A place outside of the dimension is an error.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Gather {
  static constexpr const char* kName = "gather";
  std::int64_t axis = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("axis", self.axis);
  }
  friend bool operator==(const Gather&, const Gather&) = default;
};

}  // namespace samebits::graph
