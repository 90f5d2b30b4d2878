// rms_norm: rows of the last `dims` dimensions with mean square 1, times weight, in the one order of
// docs/numerics.md §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct RmsNorm {
  static constexpr const char* kName = "rms_norm";
  std::int64_t dims = 1;
  float eps = 0x1p-23f;
  std::vector<float> weight;  // of the last dims dimensions, or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("dims", self.dims);
    visit("eps", self.eps);
    visit("weight", self.weight);
  }
  friend bool operator==(const RmsNorm&, const RmsNorm&) = default;
};

}  // namespace samebits::graph
