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

/// The weight's gradient of what grad_y as it is gave, and with a channel scale that one's.
void finish_weight(const SavedLayer& saved, const RebuiltWeight& weight, LayerGradients& gradients) {
  if (!gradients.weight.defined()) return;
  if (saved.channel_scale.has_value())
    gradients.channel_scale = finish_scaled_weight(saved, weight, gradients.weight);
  else
    apply_clip_mask(gradients.weight, weight.clip_mask);
}

LayerGradients backward_f32(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const RebuiltWeight weight = rebuild_weight(saved.weight, saved.weight_grid);
  const Tensor reals = workspace(Workspace::kGradient, saved.weight.sizes());
  WeightGrid grid = saved.weight_grid;
  grid.scale = scale_to_x(saved);
  weight_reals(weight, grid, 0, reals.flatten(1));
  LayerGradients gradients;
  std::tie(gradients.x, gradients.weight, gradients.bias) =
      convolution_backward(grad, input_reals(saved, Workspace::kInput), reals, call.window,
                           {call.wanted[0], call.wanted[1] || call.wanted[3], call.wanted[2]});
  apply_clip_mask(gradients.x, saved.clip_mask);
  finish_weight(saved, weight, gradients);
  return gradients;
}

/// Codes minus zero points are exact in bfloat16. The weight's scales go to the gradient for x, the input's
/// scale to the gradient for the weight.
LayerGradients backward_bf16(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const Conv2dWindow& window = call.window;
  const WantedGradients& wanted = call.wanted;
  const RebuiltWeight weight = rebuild_weight(saved.weight, saved.weight_grid);
  const Tensor x_codes = saved.x_codes.to(at::kBFloat16).sub_(saved.x_grid.zero_point.to(at::kBFloat16));
  const Tensor weight_codes = weight.centered.to(at::kBFloat16);
  LayerGradients gradients;
  if (wanted[0]) {
    const Tensor scaled = (grad * scale_to_x(saved).view({1, -1, 1, 1})).to(at::kBFloat16);
    gradients.x =
        std::get<0>(convolution_backward(scaled, x_codes, weight_codes, window, {true, false, false}))
            .to(at::kFloat);
    apply_clip_mask(gradients.x, saved.clip_mask);
  }
  if (wanted[1] || wanted[3]) {
    gradients.weight = std::get<1>(convolution_backward(grad.to(at::kBFloat16), x_codes, weight_codes, window,
                                                        {false, true, false}))
                           .to(at::kFloat)
                           .mul_(saved.x_grid.scale);
    finish_weight(saved, weight, gradients);
  }
  if (wanted[2]) gradients.bias = grad.sum({0, 2, 3});
  return gradients;
}

}  // namespace

LayerGradients conv2d_backward(const Conv2dBackwardCall& call) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::autocast_dispatch_keyset);  // float32 sums stay float32
  const Tensor grad = call.grad_y.contiguous();
  return call.saved.backward == BackwardMode::kFloat32 ? backward_f32(call, grad) : backward_bf16(call, grad);
}

}  // namespace samebits::ops
