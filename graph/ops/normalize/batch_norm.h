// batch_norm: fl(fl(x scale) + bias) of each channel: a batch norm that stands alone, in eval mode
// (docs/numerics.md §15).
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct BatchNorm {
  static constexpr const char* kName = "batch_norm";
  std::vector<float> scale, bias;  // of each channel

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("scale", self.scale);
    visit("bias", self.bias);
  }
  friend bool operator==(const BatchNorm&, const BatchNorm&) = default;
};

}  // namespace samebits::graph
