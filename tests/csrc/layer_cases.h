// linear and conv2d under one signature, for the tests of what both do alike.
#pragma once

#include "csrc/layers/conv2d.h"
#include "csrc/layers/linear.h"
#include "tests/csrc/layer_test.h"

namespace samebits::ops {

/// An operator with a random layer for it.
struct LayerCase {
  std::string why;
  const char* op;
  Layer layer;
  Conv2dWindow window;  // conv2d

  bool is_linear() const { return layer.weight.dim() == 2; }

  LayerOutput call(const Layer& changed, const LayerOptions& options) const {
    if (is_linear())
      return linear(changed.x, changed.weight, changed.bias, changed.x_grid, changed.weight_grid, options);
    return conv2d(changed.x, changed.weight, changed.bias, window, changed.x_grid, changed.weight_grid,
                  options);
  }

  /// On the grids of the weight's own ranges.
  EncodedLayerOutput call_encoded(const Layer& changed, const quant::Encoding& encoding,
                                  const LayerOptions& options) const {
    const LayerCall call{changed.x, changed.weight, changed.bias, changed.x_grid, {}, encoding, options};
    if (is_linear()) return call_operator(EncodedLinearCall{call});
    return call_operator(EncodedConv2dCall{call, window});
  }
};

/// A case for every kind of weight: linear of 9 x 37, and conv2d of groups, strides and padding for the kinds
/// that it takes.
inline std::vector<LayerCase> layer_cases(Random& random) {
  std::vector<LayerCase> cases;
  for (const WeightKind& kind : all_weight_kinds()) {
    cases.push_back({"linear, " + describe(kind), "linear", random_layer(random, kind, 9, 37, {5, 37}), {}});
    if (kind.group_size != 0) continue;
    cases.push_back({"conv2d, " + describe(kind),
                     "conv2d",
                     random_layer(random, kind, 6, 18, {2, 4, 7, 5}),
                     {{1, 2}, {1, 0}, {1, 1}, 2}});
    Tensor& weight = cases.back().layer.weight;
    weight = weight.reshape({6, 2, 3, 3});
  }
  return cases;
}

/// Leaves of their own that want gradients.
inline Layer with_grad(const Layer& layer) {
  Layer leaves = layer;
  leaves.x = layer.x.detach().clone().requires_grad_();
  leaves.weight = layer.weight.detach().clone().requires_grad_();
  if (layer.bias.has_value()) leaves.bias = layer.bias->detach().clone().requires_grad_();
  return leaves;
}

/// The gradients of x, weight and, where there is one, bias.
inline std::vector<Tensor> gradients_of(const Tensor& y, const Layer& layer, const Tensor& grad_y) {
  std::vector<Tensor> inputs = {layer.x, layer.weight};
  if (layer.bias.has_value()) inputs.push_back(*layer.bias);
  return torch::autograd::grad({y}, inputs, {grad_y});
}

inline void expect_same_tensors(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(first_difference(got[i], expected[i]), "") << "tensor " << i;
}

/// The layer in double on operands that are given.
inline Tensor double_product(const LayerCase& c, const Tensor& x, const Tensor& weight) {
  return c.is_linear() ? at::matmul(x, weight.t())
                       : at::conv2d(x, weight, {}, c.window.stride, c.window.padding, c.window.dilation,
                                    c.window.groups);
}

}  // namespace samebits::ops
