// samebits::layer_norm and native_layer_norm: schema, CPU, Meta, autograd.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/float/norm_arguments.h"
#include "csrc/float/norms.h"
#include "csrc/float/rows.h"
#include "kernels/float/normalize.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Tensors = std::tuple<Tensor, Tensor, Tensor>;

namespace {

/// The operator with ATen's schema.
Tensor layer_norm_as_aten(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                          const OptionalTensor& bias, double eps, bool /*cudnn_enable*/) {
  return std::get<0>(ops::native_layer_norm(x, normalized_shape, weight, bias, eps));
}

}  // namespace

Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                  const OptionalTensor& bias, double eps) {
  // By its operator, which a trace shows.
  static const auto op = find_op<decltype(layer_norm_as_aten)>("samebits::layer_norm");
  return op.call(x, normalized_shape, weight, bias, eps, /*cudnn_enable=*/true);
}

Tensors native_layer_norm(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                          const OptionalTensor& bias, double eps) {
  static const auto op = find_op<decltype(native_layer_norm)>("samebits::native_layer_norm");
  return op.call(x, normalized_shape, weight, bias, eps);
}

namespace {

Tensors layer_norm_meta(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                        const OptionalTensor& bias, double /*eps*/) {
  check_normalized("layer_norm", x, normalized_shape, weight, bias);
  std::vector<c10::SymInt> of_rows = x.sym_sizes().vec();
  std::fill(of_rows.end() - static_cast<int64_t>(normalized_shape.size()), of_rows.end(), 1);
  return {at::empty_like(x, at::MemoryFormat::Contiguous), at::empty_symint(of_rows, x.options()),
          at::empty_symint(of_rows, x.options())};
}

Tensors layer_norm_cpu(const Tensor& x_any, IntArrayRef normalized_shape, const OptionalTensor& weight_any,
                       const OptionalTensor& bias_any, double eps) {
  Tensors result = layer_norm_meta(x_any, normalized_shape, weight_any, bias_any, eps);
  auto& [y, mean, rstd] = result;
  if (y.numel() == 0) return result;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any), bias(bias_any);
  const kernels::NormalizeArgs args{.x = x.const_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .n = c10::multiply_integers(normalized_shape),
                                    .eps = static_cast<float>(eps),
                                    .weight = weight.data,
                                    .bias = bias.data,
                                    .mean = mean.mutable_data_ptr<float>(),
                                    .rstd = rstd.mutable_data_ptr<float>()};
  at::parallel_for(0, x.numel() / args.n, row_grain(args.n),
                   [&](int64_t begin, int64_t end) { kernels::normalize_rows(args, begin, end); });
  return result;
}

struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, IntArrayRef normalized_shape,
                               const OptionalTensor& weight, const OptionalTensor& bias, double eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, mean, rstd] = ops::native_layer_norm(x, normalized_shape, weight, bias, eps);
    context->save_for_backward({x, mean, rstd, tensor_or_none(weight), tensor_or_none(bias)});
    context->mark_non_differentiable({mean, rstd});
    context->saved_data["normalized_shape"] = normalized_shape.vec();
    context->saved_data["eps"] = eps;
    return {y, mean, rstd};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &weight = saved[3], &bias = saved[4];
    if (at::GradMode::is_enabled()) return differentiable(context, saved, grads[0]);
    // The context counts tensors that are there.
    const bool wants_weight = weight.defined() && context->needs_input_grad(1),
               wants_bias = bias.defined() && context->needs_input_grad(weight.defined() ? 2 : 1);
    const auto [grad_x, grad_weight, grad_bias] = at::native_layer_norm_backward(
        grads[0], saved[0], context->saved_data["normalized_shape"].toIntVector(), saved[1], saved[2],
        optional_of(weight), optional_of(bias), {context->needs_input_grad(0), wants_weight, wants_bias});
    return {grad_x, Tensor(), grad_weight, grad_bias, Tensor()};
  }

  /// The derivative of ATen's backward wants a weight: what it computes, by operators that do not.
  static variable_list differentiable(AutogradContext* context, const variable_list& saved,
                                      const Tensor& grad) {
    const Tensor &x = saved[0], &weight = saved[3], &bias = saved[4];
    const auto count = static_cast<int64_t>(context->saved_data["normalized_shape"].toIntVector().size());
    std::vector<int64_t> normalized, others;
    for (int64_t dim = 0; dim < x.dim(); ++dim) (dim < x.dim() - count ? others : normalized).push_back(dim);
    const auto mean = [&](const Tensor& t) { return t.mean(normalized, true); };
    const auto over_rows = [&](const Tensor& t) { return others.empty() ? t : t.sum(others); };
    const Tensor centered = x - mean(x);
    const Tensor rstd = (mean(centered.square()) + context->saved_data["eps"].toDouble()).rsqrt();
    const Tensor unit = centered * rstd, scaled = weight.defined() ? grad * weight : grad;
    return {rstd * (scaled - mean(scaled) - unit * mean(scaled * unit)), Tensor(),
            weight.defined() ? over_rows(grad * unit) : Tensor(), bias.defined() ? over_rows(grad) : Tensor(),
            Tensor()};
  }
};

Tensors layer_norm_autograd(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                            const OptionalTensor& bias, double eps) {
  const variable_list outputs = LayerNormFunction::apply(x, normalized_shape, weight, bias, eps);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "layer_norm(Tensor x, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
      "bool cudnn_enable=True) -> Tensor",
      layer_norm_as_aten);
  library.def(
      "native_layer_norm(Tensor x, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> "
      "(Tensor "
      "y, Tensor mean, Tensor rstd)");
}
TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("native_layer_norm", layer_norm_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("native_layer_norm", layer_norm_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("native_layer_norm", layer_norm_autograd);
}

}  // namespace samebits::ops
