// group_norm: the channels of each of `groups` with mean 0 and variance 1, times weight plus bias, in the one
// order of docs/numerics.md §15.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct GroupNorm {
  static constexpr const char* kName = "group_norm";
  std::int64_t groups = 1;
  float eps = 1e-5f;
  std::vector<float> weight, bias;  // of each channel, or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("groups", self.groups);
    visit("eps", self.eps);
    visit("weight", self.weight);
    visit("bias", self.bias);
  }
  friend bool operator==(const GroupNorm&, const GroupNorm&) = default;
};

}  // namespace samebits::graph
