// avg_pool2d: elements under each window added row by row in float32, then divided by height · width of the
// kernel. Padding counts as zeros.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct AvgPool2d {
  static constexpr const char* kName = "avg_pool2d";
  Pair kernel = {1, 1}, stride = {1, 1}, padding = {0, 0};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
  }
  friend bool operator==(const AvgPool2d&, const AvgPool2d&) = default;
};

}  // namespace samebits::graph
