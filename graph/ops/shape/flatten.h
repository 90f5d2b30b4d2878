// flatten: dimensions from start_dim to the last become one.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Flatten {
  static constexpr const char* kName = "flatten";
  std::int64_t start_dim = 1;  // 1 or more

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("start_dim", self.start_dim);
  }
  friend bool operator==(const Flatten&, const Flatten&) = default;
};

}  // namespace samebits::graph
