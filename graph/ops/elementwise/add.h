// add: a + b of one shape, element by element, in float32.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Add {
  static constexpr const char* kName = "add";

  template <class Self, class Visitor>
  static void visit(Self&, Visitor&) {}
  friend bool operator==(const Add&, const Add&) = default;
};

}  // namespace samebits::graph
