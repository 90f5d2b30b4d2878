// layer_norm: rows of the last `dims` dimensions with mean 0 and variance 1, times weight plus bias, in the
// one order of docs/numerics.md §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct LayerNorm {
  static constexpr const char* kName = "layer_norm";
  std::int64_t dims = 1;
  float eps = 1e-5f;
  std::vector<float> weight, bias;  // of the last dims dimensions, or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("dims", self.dims);
    visit("eps", self.eps);
    visit("weight", self.weight);
    visit("bias", self.bias);
  }
  friend bool operator==(const LayerNorm&, const LayerNorm&) = default;
};

}  // namespace samebits::graph
