// conv2d: NCHW of x quantized on input_grid: integer sums, scaled back (docs/numerics.md §4). Padding is the
// real 0.
#pragma once

#include "graph/operator.h"

namespace samebits::graph {

struct Conv2d {
  static constexpr const char* kName = "conv2d";
  kernels::AffineGrid input_grid{};
  quant::QuantizedTensor weight;  // [out, in / groups, height, width]; no groups along the depth
  std::vector<float> bias;        // [out], or empty
  Pair stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  std::int64_t groups = 1;
  std::vector<float> channel_scale{};  // [out] factors of the sums (docs/numerics.md §13), or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("input_grid", self.input_grid);
    visit("weight", self.weight);
    visit("bias", self.bias);
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("dilation", self.dilation);
    visit("groups", self.groups);
    visit.optional("channel_scale", self.channel_scale);
  }
  friend bool operator==(const Conv2d&, const Conv2d&) = default;
};

}  // namespace samebits::graph
