#include "csrc/layers/conv2d_backward.h"

namespace samebits::ops {

using at::Tensor;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;

namespace {

Gradients convolution_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                               const Conv2dWindow& window, const std::array<bool, 3>& wanted) {
  return at::convolution_backward(grad, x, weight, at::OptionalIntArrayRef({weight.size(0)}), window.stride,
                                  window.padding, window.dilation, /*transposed=*/false,
                                  /*output_padding=*/{0, 0}, window.groups, wanted);
}

LayerGradients backward_f32(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const RebuiltWeight weight = rebuild_weight(saved.weight, saved.weight_grid);
  const Tensor reals = workspace(Workspace::kGradient, saved.weight.sizes());
  weight_reals(weight, saved.weight_grid, 0, reals.flatten(1));
  auto [grad_x, grad_weight, grad_bias] =
      convolution_backward(grad, input_reals(saved, Workspace::kInput), reals, call.window, call.wanted);
  apply_clip_mask(grad_x, saved.clip_mask);
  apply_clip_mask(grad_weight, weight.clip_mask);
  return {grad_x, grad_weight, grad_bias};
}

/// Codes minus zero points are exact in bfloat16. The weight's scales go to the gradient for x, the input's
/// scale to the gradient for the weight.
LayerGradients backward_bf16(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const Conv2dWindow& window = call.window;
  const std::array<bool, 3>& wanted = call.wanted;
  const RebuiltWeight weight = rebuild_weight(saved.weight, saved.weight_grid);
  const Tensor x_codes = saved.x_codes.to(at::kBFloat16).sub_(saved.x_grid.zero_point.to(at::kBFloat16));
  const Tensor weight_codes = weight.centered.to(at::kBFloat16);
  Tensor grad_x, grad_weight, grad_bias;
  if (wanted[0]) {
    const Tensor scaled = (grad * saved.weight_grid.scale.view({1, -1, 1, 1})).to(at::kBFloat16);
    grad_x = std::get<0>(convolution_backward(scaled, x_codes, weight_codes, window, {true, false, false}))
                 .to(at::kFloat);
    apply_clip_mask(grad_x, saved.clip_mask);
  }
  if (wanted[1]) {
    grad_weight = std::get<1>(convolution_backward(grad.to(at::kBFloat16), x_codes, weight_codes, window,
                                                   {false, true, false}))
                      .to(at::kFloat)
                      .mul_(saved.x_grid.scale);
    apply_clip_mask(grad_weight, weight.clip_mask);
  }
  if (wanted[2]) grad_bias = grad.sum({0, 2, 3});
  return {grad_x, grad_weight, grad_bias};
}

}  // namespace

LayerGradients conv2d_backward(const Conv2dBackwardCall& call) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::autocast_dispatch_keyset);  // float32 sums stay float32
  const Tensor grad = call.grad_y.contiguous();
  return call.saved.backward == BackwardMode::kFloat32 ? backward_f32(call, grad) : backward_bf16(call, grad);
}

}  // namespace samebits::ops
