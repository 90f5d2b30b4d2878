// softmax: e^(x - max) / sum along dimension dim, in the one order of docs/numerics.md §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Softmax {
  static constexpr const char* kName = "softmax";
  std::int64_t dim = 1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("dim", self.dim);
  }
  friend bool operator==(const Softmax&, const Softmax&) = default;
};

}  // namespace samebits::graph
