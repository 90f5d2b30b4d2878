// cat: its inputs one behind another along a dimension. Any dtype, the same for all.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Cat {
  static constexpr const char* kName = "cat";
  std::int64_t axis = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("axis", self.axis);
  }
  friend bool operator==(const Cat&, const Cat&) = default;
};

}  // namespace samebits::graph
