// adaptive_avg_pool2d: the mean of each of output_size windows, which overlap where the sizes do not divide,
// in the one order of docs/numerics.md §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct AdaptiveAvgPool2d {
  static constexpr const char* kName = "adaptive_avg_pool2d";
  Pair output_size = {1, 1};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("output_size", self.output_size);
  }
  friend bool operator==(const AdaptiveAvgPool2d&, const AdaptiveAvgPool2d&) = default;
};

}  // namespace samebits::graph
