// relu: x < 0 ? 0 : x, element by element; NaN and -0 stay.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Relu {
  static constexpr const char* kName = "relu";

  template <class Self, class Visitor>
  static void visit(Self&, Visitor&) {}
  friend bool operator==(const Relu&, const Relu&) = default;
};

}  // namespace samebits::graph
