// torch operator over kernels/matmul/float_gemm.h: schema, checks, CPU, Meta, autograd.
#include "csrc/float/float_linear.h"

#include <torch/autograd.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/region_threads.h"
#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/float_gemm.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<Tensor>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("float_linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor");
}

Tensor float_linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  static const auto op = find_op<decltype(float_linear)>("samebits::float_linear");
  return op.call(x, weight, bias);
}

namespace {

Tensor float_linear_meta(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  check_dtype("float_linear", "x", x, at::kFloat);
  check_dtype("float_linear", "weight", weight, at::kFloat);
  TORCH_CHECK(weight.dim() == 2, "[float_linear] weight: expected [out, in], got shape ", weight.sym_sizes());
  TORCH_CHECK(x.dim() >= 1 && x.sym_size(-1) == weight.sym_size(1), "[float_linear] x: expected [..., ",
              weight.sym_size(1), "], got shape ", x.sym_sizes());
  if (bias.has_value()) {
    check_dtype("float_linear", "bias", *bias, at::kFloat);
    TORCH_CHECK(bias->dim() == 1 && bias->sym_size(0) == weight.sym_size(0),
                "[float_linear] bias: expected [", weight.sym_size(0), "], got shape ", bias->sym_sizes());
  }
  std::vector<c10::SymInt> sizes = x.sym_sizes().vec();
  sizes.back() = weight.sym_size(0);
  return at::empty_symint(sizes, x.options().memory_format(at::MemoryFormat::Contiguous));
}

Tensor float_linear_cpu(const Tensor& x_any, const Tensor& weight_any, const OptionalTensor& bias_any) {
  Tensor y = float_linear_meta(x_any, weight_any, bias_any);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous(), weight = weight_any.contiguous();
  const Tensor bias = bias_any.has_value() ? bias_any->contiguous() : Tensor();
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
                                    .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                                    .y = y.mutable_data_ptr<float>(),
                                    .y_stride = n};
  for_each_part(m * n * k, [&](int64_t part, int64_t parts) {
    kernels::float_gemm(args, kernels::gemm_region(m, n, part, parts));
  });
  return y;
}

struct FloatLinearFunction : torch::autograd::Function<FloatLinearFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const OptionalTensor& bias) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, weight});
    context->saved_data["has_bias"] = bias.has_value();
    return ops::float_linear(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &grad_y = grads[0];
    const Tensor rows = grad_y.dim() == 1 ? grad_y.unsqueeze(0) : grad_y.flatten(0, -2);
    const Tensor inputs = x.dim() == 1 ? x.unsqueeze(0) : x.flatten(0, -2);
    // The context counts tensors that are there: without a bias there is no third.
    const bool wants_bias = context->saved_data["has_bias"].toBool() && context->needs_input_grad(2);
    return {context->needs_input_grad(0) ? grad_y.matmul(weight) : Tensor(),
            context->needs_input_grad(1) ? rows.t().matmul(inputs) : Tensor(),
            wants_bias ? rows.sum(0) : Tensor()};
  }
};

Tensor float_linear_autograd(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  return FloatLinearFunction::apply(x, weight, bias);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("float_linear", float_linear_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("float_linear", float_linear_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("float_linear", float_linear_autograd);
}

}  // namespace samebits::ops
