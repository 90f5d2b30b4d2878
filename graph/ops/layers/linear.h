// linear: y [..., out] of x [..., in] quantized on input_grid: integer sums, scaled back (docs/numerics.md
// §4, §5).
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Linear {
  static constexpr const char* kName = "linear";
  kernels::AffineGrid input_grid{};
  quant::QuantizedTensor weight;       // [out, in]
  std::vector<float> bias;             // [out], or empty
  std::vector<float> channel_scale{};  // [out] factors of the sums (docs/numerics.md §13), or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("input_grid", self.input_grid);
    visit("weight", self.weight);
    visit("bias", self.bias);
    visit.optional("channel_scale", self.channel_scale);
  }
  friend bool operator==(const Linear&, const Linear&) = default;
};

}  // namespace samebits::graph
