// expand: x with dimensions of size 1, and dimensions in front, repeated. Any dtype.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Expand {
  static constexpr const char* kName = "expand";
  Shape shape;  // of y

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("shape", self.shape);
  }
  friend bool operator==(const Expand&, const Expand&) = default;
};

}  // namespace samebits::graph
