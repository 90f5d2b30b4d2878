// samebits::batch_norm, which is ATen's on the statistics of a batch, and samebits::eval_batch_norm: schema,
// CPU, Meta, autograd.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/call.h"
#include "csrc/common/check.h"
#include "csrc/float/norm_arguments.h"
#include "csrc/float/norms.h"
#include "csrc/float/rows.h"
#include "kernels/float/normalize.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor eval_batch_norm(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                       const Tensor& running_mean, const Tensor& running_var, double eps) {
  static const auto op = find_op<decltype(eval_batch_norm)>("samebits::eval_batch_norm");
  return op.call(x, weight, bias, running_mean, running_var, eps);
}

namespace {

/// The operator's arguments, in ATen's order.
struct BatchNormCall {
  static constexpr const char* kOp = "batch_norm";
  using Result = Tensor;
  Tensor x;
  OptionalTensor weight, bias, running_mean, running_var;
  bool training = false;
  double momentum = 0, eps = 0;
  bool cudnn_enabled = true;
  auto fields() {
    return std::tie(x, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled);
  }
};

Tensor batch_norm(const BatchNormCall& call) {
  if (call.training || !call.running_mean.has_value() || !call.running_var.has_value())
    return at::batch_norm(call.x, call.weight, call.bias, call.running_mean, call.running_var, call.training,
                          call.momentum, call.eps, call.cudnn_enabled);
  return eval_batch_norm(call.x, call.weight, call.bias, *call.running_mean, *call.running_var, call.eps);
}

Tensor eval_batch_norm_meta(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                            const Tensor& running_mean, const Tensor& running_var, double /*eps*/) {
  check_channels("eval_batch_norm", x);
  check_channel_parameter("eval_batch_norm", "weight", x, weight);
  check_channel_parameter("eval_batch_norm", "bias", x, bias);
  check_channel_parameter("eval_batch_norm", "running_mean", x, running_mean);
  check_channel_parameter("eval_batch_norm", "running_var", x, running_var);
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

Tensor eval_batch_norm_cpu(const Tensor& x_any, const OptionalTensor& weight_any,
                           const OptionalTensor& bias_any, const Tensor& running_mean,
                           const Tensor& running_var, double eps) {
  Tensor y = eval_batch_norm_meta(x_any, weight_any, bias_any, running_mean, running_var, eps);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any), bias(bias_any), mean(running_mean), var(running_var);
  const int64_t channels = x.size(1), planes = x.size(0) * channels;
  std::vector<float> scale(static_cast<std::size_t>(channels)), shift(scale.size());
  kernels::batch_norm_terms({weight.data, bias.data, mean.data, var.data, static_cast<float>(eps)}, channels,
                            scale.data(), shift.data());
  const kernels::ScaleChannelsArgs args{
      x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), scale.data(), shift.data(), channels,
      x.numel() / planes};
  at::parallel_for(0, planes, row_grain(args.inner),
                   [&](int64_t begin, int64_t end) { kernels::scale_channels(args, begin, end); });
  return y;
}

struct EvalBatchNormFunction : torch::autograd::Function<EvalBatchNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const OptionalTensor& weight,
                        const OptionalTensor& bias, const Tensor& running_mean, const Tensor& running_var,
                        double eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, tensor_or_none(weight), running_mean, running_var});
    context->saved_data["has_bias"] = bias.has_value();
    context->saved_data["eps"] = eps;
    return ops::eval_batch_norm(x, weight, bias, running_mean, running_var, eps);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &grad = grads[0];
    std::vector<int64_t> per_channel(static_cast<std::size_t>(x.dim()), 1), others = {0};
    per_channel[1] = -1;
    for (int64_t dim = 2; dim < x.dim(); ++dim) others.push_back(dim);
    const Tensor rstd = (saved[3] + context->saved_data["eps"].toDouble()).rsqrt().reshape(per_channel);
    const Tensor scale = weight.defined() ? rstd * weight.reshape(per_channel) : rstd;
    const Tensor centered = x - saved[2].reshape(per_channel);
    return {grad * scale,
            weight.defined() ? (grad * centered * rstd).sum(others) : Tensor(),
            context->saved_data["has_bias"].toBool() ? grad.sum(others) : Tensor(),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};

Tensor eval_batch_norm_autograd(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                                const Tensor& running_mean, const Tensor& running_var, double eps) {
  return EvalBatchNormFunction::apply(x, weight, bias, running_mean, running_var, eps);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "batch_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool "
      "training, float momentum, float eps, bool cudnn_enabled=True) -> Tensor",
      unpacked<batch_norm>);
  library.def(
      "eval_batch_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, "
      "float "
      "eps) -> Tensor");
}
TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("eval_batch_norm", eval_batch_norm_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("eval_batch_norm", eval_batch_norm_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("eval_batch_norm", eval_batch_norm_autograd);
}

}  // namespace samebits::ops
