// upsample_nearest2d: NCHW of another height and width: y[i] = x[min(floor(fl(i · step)), size - 1)] along
// each, LibTorch's rule for mode "nearest".
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct UpsampleNearest2d {
  static constexpr const char* kName = "upsample_nearest2d";
  Pair size = {1, 1};                     // of y
  float step_height = 1, step_width = 1;  // of x for each element of y

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("size", self.size);
    visit("step_height", self.step_height);
    visit("step_width", self.step_width);
  }
  friend bool operator==(const UpsampleNearest2d&, const UpsampleNearest2d&) = default;
};

}  // namespace samebits::graph
