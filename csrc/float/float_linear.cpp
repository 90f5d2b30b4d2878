// torch operator over kernels/matmul/float_gemm.h: schema, checks, CPU, Meta, autograd.
#include "csrc/float/float_linear.h"

#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/layer.h"
#include "csrc/layers/region_threads.h"
#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/float_gemm.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "float_linear(Tensor x, Tensor weight, Tensor? bias=None, Tensor? channel_scale=None) -> Tensor");
}

Tensor float_linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                    const OptionalTensor& channel_scale) {
  static const auto op = find_op<decltype(float_linear)>("samebits::float_linear");
  return op.call(x, weight, bias, channel_scale);
}

Tensor empty_float_linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                          const OptionalTensor& channel_scale) {
  check_dtype("float_linear", "x", x, at::kFloat);
  check_dtype("float_linear", "weight", weight, at::kFloat);
  TORCH_CHECK(weight.dim() == 2, "[float_linear] weight: expected [out, in], got shape ", weight.sym_sizes());
  TORCH_CHECK(x.dim() >= 1 && x.sym_size(-1) == weight.sym_size(1), "[float_linear] x: expected [..., ",
              weight.sym_size(1), "], got shape ", x.sym_sizes());
  check_channel_values("float_linear", "bias", bias, weight);
  check_channel_values("float_linear", "channel_scale", channel_scale, weight);
  std::vector<c10::SymInt> sizes = x.sym_sizes().vec();
  sizes.back() = weight.sym_size(0);
  return at::empty_symint(sizes, x.options().memory_format(at::MemoryFormat::Contiguous));
}

namespace {

Tensor float_linear_cpu(const Tensor& x_any, const Tensor& weight_any, const OptionalTensor& bias_any,
                        const OptionalTensor& channel_scale_any) {
  Tensor y = empty_float_linear(x_any, weight_any, bias_any, channel_scale_any);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous(), weight = weight_any.contiguous();
  Tensor bias, channel_scale;
  const int64_t n = weight.size(0), k = weight.size(1), m = y.numel() / n;
  kernels::AlignedVector<float> packed(static_cast<size_t>(kernels::packed_float_size(n, k)));
  at::parallel_for(
      0, kernels::padded_columns(n) / kernels::kColumnBlock, 16, [&](int64_t first, int64_t last) {
        kernels::pack_float_b(weight.const_data_ptr<float>(), n, k, packed.data(),
                              first * kernels::kColumnBlock, std::min(last * kernels::kColumnBlock, n));
      });
  const kernels::FloatGemmArgs args{.a = x.const_data_ptr<float>(),
                                    .a_stride = k,
                                    .b = packed.data(),
                                    .n = n,
                                    .k = k,
                                    .bias = floats_or_null(bias_any, bias),
                                    .y = y.mutable_data_ptr<float>(),
                                    .y_stride = n,
                                    .channel_scale = floats_or_null(channel_scale_any, channel_scale)};
  for_each_part(m * n * k, [&](int64_t part, int64_t parts) {
    kernels::float_gemm(args, kernels::gemm_region(m, n, part, parts));
  });
  return y;
}

struct FloatLinearFunction : torch::autograd::Function<FloatLinearFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const OptionalTensor& bias, const OptionalTensor& channel_scale) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, weight, channel_scale.value_or(Tensor())});
    context->saved_data["has_bias"] = bias.has_value();  // an absent one is no autograd input
    return ops::float_linear(x, weight, bias, channel_scale);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &grad_y = grads[0];
    const Tensor rows = grad_y.dim() == 1 ? grad_y.unsqueeze(0) : grad_y.flatten(0, -2);
    const Tensor inputs = x.dim() == 1 ? x.unsqueeze(0) : x.flatten(0, -2);
    const Tensor factor = saved[2].defined() ? saved[2].unsqueeze(1) : Tensor();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const bool wants_factor = factor.defined() && context->needs_input_grad(has_bias ? 3 : 2);
    Tensor grad_weight, grad_factor;
    if (context->needs_input_grad(1) || wants_factor) grad_weight = rows.t().matmul(inputs);
    if (wants_factor) grad_factor = (grad_weight * weight).sum(1);
    if (factor.defined() && grad_weight.defined()) grad_weight = grad_weight * factor;
    return {
        context->needs_input_grad(0) ? grad_y.matmul(factor.defined() ? weight * factor : weight) : Tensor(),
        context->needs_input_grad(1) ? grad_weight : Tensor(),
        has_bias && context->needs_input_grad(2) ? rows.sum(0) : Tensor(), grad_factor};
  }
};

Tensor float_linear_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                             const OptionalTensor& channel_scale) {
  return FloatLinearFunction::apply(x, weight, bias, channel_scale);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("float_linear", float_linear_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("float_linear", empty_float_linear);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("float_linear", float_linear_autograd);
}

}  // namespace samebits::ops
