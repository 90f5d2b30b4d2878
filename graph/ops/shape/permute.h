// permute: dimension d of y is dimension axes[d] of x. Any dtype.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Permute {
  static constexpr const char* kName = "permute";
  Sizes axes;  // each of 0, 1, … once

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("axes", self.axes);
  }
  friend bool operator==(const Permute&, const Permute&) = default;
};

}  // namespace samebits::graph
