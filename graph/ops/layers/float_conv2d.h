// float_conv2d: NCHW in float32, one chain of sums an output (docs/numerics.md §12): a layer that was not
// quantized.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct FloatConv2d {
  static constexpr const char* kName = "float_conv2d";
  FloatTensor weight;       // [out, in / groups, height, width]
  std::vector<float> bias;  // [out], or empty
  Pair stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  std::int64_t groups = 1;
  std::vector<float> channel_scale{};  // [out] factors of the sums (docs/numerics.md §13), or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("weight", self.weight);
    visit("bias", self.bias);
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("dilation", self.dilation);
    visit("groups", self.groups);
    visit.optional("channel_scale", self.channel_scale);
  }
  friend bool operator==(const FloatConv2d&, const FloatConv2d&) = default;
};

}  // namespace samebits::graph
