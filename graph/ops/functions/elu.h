// elu: 0 < x: fl(x scale); else fl(fl(e^fl(x input_scale) - 1) fl(alpha scale)); bits of
// kernels/float/function.h.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Elu {
  static constexpr const char* kName = "elu";
  float alpha = 1, scale = 1, input_scale = 1;  // finite, input_scale > 0

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("alpha", self.alpha);
    visit("scale", self.scale);
    visit("input_scale", self.input_scale);
  }
  friend bool operator==(const Elu&, const Elu&) = default;
};

}  // namespace samebits::graph
