// float_linear: y [..., out] = x [..., in] · weightᵀ + bias in float32, one chain of sums an output
// (docs/numerics.md §12): a layer that was not quantized.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct FloatLinear {
  static constexpr const char* kName = "float_linear";
  FloatTensor weight;                  // [out, in]
  std::vector<float> bias;             // [out], or empty
  std::vector<float> channel_scale{};  // [out] factors of the sums (docs/numerics.md §13), or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("weight", self.weight);
    visit("bias", self.bias);
    visit.optional("channel_scale", self.channel_scale);
  }
  friend bool operator==(const FloatLinear&, const FloatLinear&) = default;
};

}  // namespace samebits::graph
