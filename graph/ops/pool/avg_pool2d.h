// avg_pool2d: elements under each window added row by row in float32, then divided by how many places of the
// window lie in the padded input, padding counted as zeros; without count_include_pad, in the input.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct AvgPool2d {
  static constexpr const char* kName = "avg_pool2d";
  Pair kernel = {1, 1}, stride = {1, 1}, padding = {0, 0};
  bool ceil_mode = false;  // a last window may reach beyond the padded input
  bool count_include_pad = true;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit.unless("ceil_mode", self.ceil_mode, false);
    visit.unless("count_include_pad", self.count_include_pad, true);
  }
  friend bool operator==(const AvgPool2d&, const AvgPool2d&) = default;
};

}  // namespace samebits::graph
