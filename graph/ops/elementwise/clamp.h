// clamp: x below low becomes low, above high becomes high, element by element; NaN stays, and -0 where low is
// 0. There may be one bound alone.
#pragma once

#include <limits>

#include "graph/operator.h"

namespace samebits::graph {

constexpr float kNoHigh = std::numeric_limits<float>::infinity(), kNoLow = -kNoHigh;

struct Clamp {
  static constexpr const char* kName = "clamp";
  float low = 0, high = 0;  // finite, or kNoLow or kNoHigh; low <= high

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit.unless("low", self.low, kNoLow);
    visit.unless("high", self.high, kNoHigh);
  }
  friend bool operator==(const Clamp&, const Clamp&) = default;
};

}  // namespace samebits::graph
