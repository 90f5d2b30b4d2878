// clamp: x below low becomes low, above high becomes high, element by element; NaN stays, and -0 where low is
// 0.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Clamp {
  static constexpr const char* kName = "clamp";
  float low = 0, high = 0;  // finite, low <= high

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("low", self.low);
    visit("high", self.high);
  }
  friend bool operator==(const Clamp&, const Clamp&) = default;
};

}  // namespace samebits::graph
