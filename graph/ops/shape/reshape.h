// reshape: the elements of x in their order, with other sizes. Any dtype.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Reshape {
  static constexpr const char* kName = "reshape";
  Shape shape;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("shape", self.shape);
  }
  friend bool operator==(const Reshape&, const Reshape&) = default;
};

}  // namespace samebits::graph
