// constant: an array that the model holds: a table of positions, a mask, a number. Any dtype.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Constant {
  static constexpr const char* kName = "constant";
  ConstantTensor value;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("value", self.value);
  }
  friend bool operator==(const Constant&, const Constant&) = default;
};

}  // namespace samebits::graph
