// max_pool2d: the largest element under each window. Padding is -inf; a NaN wins.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct MaxPool2d {
  static constexpr const char* kName = "max_pool2d";
  Pair kernel = {1, 1}, stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  bool ceil_mode = false;  // a last window may reach beyond the padded input

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("dilation", self.dilation);
    visit("ceil_mode", self.ceil_mode);
  }
  friend bool operator==(const MaxPool2d&, const MaxPool2d&) = default;
};

}  // namespace samebits::graph
