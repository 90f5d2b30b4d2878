// samebits::conv2d_backward on CUDA, in float32 and in bfloat16 (docs/numerics.md §6), with the roundings of
// csrc/layers/conv2d_backward.cpp. Products are torch's, cuDNN's as a rule.
#include <torch/library.h>

#include <mutex>

#include "csrc/common/check.h"
#include "csrc/layers/conv2d.h"
#include "csrc/layers/cuda/backward_operands.h"
#include "csrc/quantize/dequantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;

constexpr char kOp[] = "conv2d_backward";

/// While one lives, float32 convolutions of cuDNN use TF32 only where torch.backends.cuda.matmul.allow_tf32
/// asks for it, as linear's gradients do: cuDNN's own flag, which is on by default, would round every operand
/// to 11 bits. The flag is the process's: the first guard sets it, the last one puts back what was there.
class Float32Convolutions {
 public:
  Float32Convolutions() {
    const std::lock_guard lock(state().mutex);
    at::Context& context = at::globalContext();
    if (state().guards++ > 0) return;
    state().before = context.float32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV);
    if (!context.allowTF32CuBLAS()) set(at::Float32Precision::IEEE);
  }
  ~Float32Convolutions() {
    const std::lock_guard lock(state().mutex);
    if (--state().guards == 0) set(state().before);
  }
  Float32Convolutions(const Float32Convolutions&) = delete;
  Float32Convolutions& operator=(const Float32Convolutions&) = delete;

 private:
  struct State {
    std::mutex mutex;
    int guards = 0;
    at::Float32Precision before{};
  };
  static State& state() {
    static auto& only = *new State;
    return only;
  }
  static void set(at::Float32Precision precision) {
    at::globalContext().setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV, precision);
  }
};

Gradients convolution_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                               const Conv2dWindow& window, const std::array<bool, 3>& wanted) {
  return at::convolution_backward(grad, x, weight, at::OptionalIntArrayRef({weight.size(0)}), window.stride,
                                  window.padding, window.dilation, /*transposed=*/false,
                                  /*output_padding=*/{0, 0}, window.groups, wanted);
}

LayerGradients backward_f32(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const bool wants_weight = call.wanted[1] || call.wanted[3];  // a channel scale's comes of it
  const WeightOperand weight = real_weight_to_x(saved);
  const Tensor x = dequantize(saved.x_codes, saved.x_grid.scale, saved.x_grid.zero_point);
  const Float32Convolutions exact;
  const auto [grad_x, grad_weight, grad_bias] = convolution_backward(
      grad, x, weight.factor, call.window, {call.wanted[0], wants_weight, call.wanted[2]});
  LayerGradients gradients;
  if (call.wanted[0]) gradients.x = cleared(kOp, grad_x, 1, saved.clip_mask);
  if (wants_weight) finish_weight(kOp, saved, call.wanted, weight, grad_weight, gradients);
  gradients.bias = grad_bias;
  return gradients;
}

/// Codes minus zero points are exact in bfloat16. The weight's scales go to the gradient for x, the input's
/// scale to the gradient for the weight. Operands have their channels last, as tensor cores read them.
LayerGradients backward_bf16(const Conv2dBackwardCall& call, const Tensor& grad) {
  const SavedLayer& saved = call.saved;
  const auto to_bf16 = [](const Tensor& tensor) {
    return tensor.to(at::kBFloat16, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::ChannelsLast);
  };
  const auto to_float = [](const Tensor& tensor) {
    return tensor.to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous);
  };
  const WeightOperand weight = bf16_weight(kOp, saved);
  const Tensor factor = weight.factor.contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor x_codes = to_bf16(saved.x_codes).sub_(saved.x_grid.zero_point.to(at::kBFloat16));
  LayerGradients gradients;
  if (call.wanted[0]) {
    const Tensor scaled = to_bf16(grad * scale_to_x(saved).view({1, -1, 1, 1}));
    const Gradients products =
        convolution_backward(scaled, x_codes, factor, call.window, {true, false, false});
    gradients.x = cleared(kOp, to_float(std::get<0>(products)), 1, saved.clip_mask);
  }
  if (call.wanted[1] || call.wanted[3]) {
    const Gradients products =
        convolution_backward(to_bf16(grad), x_codes, factor, call.window, {false, true, false});
    finish_weight(kOp, saved, call.wanted, weight, to_float(std::get<1>(products)).mul_(saved.x_grid.scale),
                  gradients);
  }
  if (call.wanted[2]) gradients.bias = grad.sum({0, 2, 3});
  return gradients;
}

LayerGradients conv2d_backward_cuda(const Conv2dBackwardCall& call) {
  TORCH_CHECK(call.saved.backward != BackwardMode::kInt8,
              "[conv2d_backward] backward: expected f32 or bf16 on CUDA, got \"int8\"");
  check_conv2d_backward(call);
  const c10::cuda::CUDAGuard guard(call.grad_y.device());
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const Tensor grad = call.grad_y.contiguous();
  return empty_where_undefined(
      call.saved.backward == BackwardMode::kFloat32 ? backward_f32(call, grad) : backward_bf16(call, grad),
      call.grad_y);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("conv2d_backward", unpacked<conv2d_backward_cuda>);
}

}  // namespace samebits::ops
