// matmul: a [..., m, k] · b [..., k, n] of two computed values in float32, one chain of sums an output
// (docs/numerics.md §12); the dimensions in front broadcast.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Matmul {
  static constexpr const char* kName = "matmul";
  bool transpose_b = false;  // b is [..., n, k]

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("transpose_b", self.transpose_b);
  }
  friend bool operator==(const Matmul&, const Matmul&) = default;
};

}  // namespace samebits::graph
