// slice: elements begin, begin + step, … below end along a dimension. Any dtype. A bound may depend on a
// symbol, the step only where both are numbers.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Slice {
  static constexpr const char* kName = "slice";
  std::int64_t axis = 0;
  Dimension begin, end;
  std::int64_t step = 1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("axis", self.axis);
    visit("begin", self.begin);
    visit("end", self.end);
    visit("step", self.step);
  }
  friend bool operator==(const Slice&, const Slice&) = default;
};

}  // namespace samebits::graph
