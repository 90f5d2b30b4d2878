// leaky_relu: x < 0: fl(x negative_slope); else x.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct LeakyRelu {
  static constexpr const char* kName = "leaky_relu";
  float negative_slope = 0.01f;  // finite

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("negative_slope", self.negative_slope);
  }
  friend bool operator==(const LeakyRelu&, const LeakyRelu&) = default;
};

}  // namespace samebits::graph
