// upsample_bilinear2d: NCHW of another height and width, interpolated in float32 first along the rows and
// then along the columns (docs/numerics.md §16).
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct UpsampleBilinear2d {
  static constexpr const char* kName = "upsample_bilinear2d";
  Pair size = {1, 1};                     // of y
  float step_height = 1, step_width = 1;  // of x for each element of y
  bool align_corners = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("size", self.size);
    visit("step_height", self.step_height);
    visit("step_width", self.step_width);
    visit("align_corners", self.align_corners);
  }
  friend bool operator==(const UpsampleBilinear2d&, const UpsampleBilinear2d&) = default;
};

}  // namespace samebits::graph
