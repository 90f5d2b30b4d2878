// gelu: x Phi(x), or its approximation by tanh, element by element; bits of kernels/float/function.h.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Gelu {
  static constexpr const char* kName = "gelu";
  bool is_tanh = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("is_tanh", self.is_tanh);
  }
  friend bool operator==(const Gelu&, const Gelu&) = default;
};

}  // namespace samebits::graph
