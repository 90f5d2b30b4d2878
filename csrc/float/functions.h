// torch operators over kernels/float/function.h, element by element, float32 of any shape: the same bits on
// every instruction set, thread count and device, and the gradients of torch's operators of these names.
// Schemas begin as ATen's do, so that a graph may call one in the place of the other.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <string_view>

namespace samebits::ops {

at::Tensor exp(const at::Tensor& x);
at::Tensor log(const at::Tensor& x);
at::Tensor tanh(const at::Tensor& x);
at::Tensor sigmoid(const at::Tensor& x);
at::Tensor erf(const at::Tensor& x);
at::Tensor silu(const at::Tensor& x);
/// `approximate` is "none" or "tanh".
at::Tensor gelu(const at::Tensor& x, c10::string_view approximate);
/// 0 < x: scale x; else alpha scale (e^(input_scale x) - 1). input_scale > 0.
at::Tensor elu(const at::Tensor& x, const at::Scalar& alpha, const at::Scalar& scale,
               const at::Scalar& input_scale);
at::Tensor leaky_relu(const at::Tensor& x, const at::Scalar& negative_slope);
at::Tensor hardsigmoid(const at::Tensor& x);
at::Tensor hardswish(const at::Tensor& x);
at::Tensor sqrt(const at::Tensor& x);
at::Tensor rsqrt(const at::Tensor& x);

/// What all of them call: `function` names one of kernels::Function ("gelu_tanh"), `scales` are
/// kernels::FunctionArgs::scales.
at::Tensor apply_function(const at::Tensor& x, c10::string_view function, at::ArrayRef<double> scales);

}  // namespace samebits::ops
