// samebits::group_norm and native_group_norm: schema, CPU, Meta, autograd.
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

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Tensors = std::tuple<Tensor, Tensor, Tensor>;

namespace {

/// The operator with ATen's schema.
Tensor group_norm_as_aten(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                          const OptionalTensor& bias, double eps, bool /*cudnn_enabled*/) {
  return std::get<0>(ops::native_group_norm(x, num_groups, weight, bias, eps));
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                  const OptionalTensor& bias, double eps) {
  // By its operator, which a trace shows.
  static const auto op = find_op<decltype(group_norm_as_aten)>("samebits::group_norm");
  return op.call(x, num_groups, weight, bias, eps, /*cudnn_enabled=*/true);
}

Tensors native_group_norm(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                          const OptionalTensor& bias, double eps) {
  static const auto op = find_op<decltype(native_group_norm)>("samebits::native_group_norm");
  return op.call(x, num_groups, weight, bias, eps);
}

namespace {

Tensors group_norm_meta(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                        const OptionalTensor& bias, double /*eps*/) {
  check_channels("group_norm", x);
  TORCH_CHECK(num_groups >= 1 && x.sym_size(1) % num_groups == 0,
              "[group_norm] num_groups: expected a divisor of ", x.sym_size(1), " channels, got ",
              num_groups);
  check_channel_parameter("group_norm", "weight", x, weight);
  check_channel_parameter("group_norm", "bias", x, bias);
  const std::vector<c10::SymInt> of_groups = {x.sym_size(0), num_groups};
  return {at::empty_like(x, at::MemoryFormat::Contiguous), at::empty_symint(of_groups, x.options()),
          at::empty_symint(of_groups, x.options())};
}

Tensors group_norm_cpu(const Tensor& x_any, int64_t num_groups, const OptionalTensor& weight_any,
                       const OptionalTensor& bias_any, double eps) {
  Tensors result = group_norm_meta(x_any, num_groups, weight_any, bias_any, eps);
  auto& [y, mean, rstd] = result;
  if (y.numel() == 0) return result;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any), bias(bias_any);
  const int64_t rows = x.size(0) * num_groups;
  const kernels::NormalizeArgs args{.x = x.const_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .n = x.numel() / rows,
                                    .eps = static_cast<float>(eps),
                                    .weight = weight.data,
                                    .bias = bias.data,
                                    .run = x.numel() / (x.size(0) * x.size(1)),
                                    .weight_rows = num_groups,
                                    .mean = mean.mutable_data_ptr<float>(),
                                    .rstd = rstd.mutable_data_ptr<float>()};
  at::parallel_for(0, rows, row_grain(args.n),
                   [&](int64_t begin, int64_t end) { kernels::normalize_rows(args, begin, end); });
  return result;
}

struct GroupNormFunction : torch::autograd::Function<GroupNormFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x, int64_t num_groups,
                               const OptionalTensor& weight, const OptionalTensor& bias, double eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, mean, rstd] = ops::native_group_norm(x, num_groups, weight, bias, eps);
    context->save_for_backward({x, mean, rstd, tensor_or_none(weight), tensor_or_none(bias)});
    context->mark_non_differentiable({mean, rstd});
    context->saved_data["num_groups"] = num_groups;
    context->saved_data["eps"] = eps;
    return {y, mean, rstd};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[3], &bias = saved[4];
    const int64_t groups = context->saved_data["num_groups"].toInt();
    if (at::GradMode::is_enabled()) return differentiable(context, saved, grads[0]);
    // The context counts tensors that are there.
    const bool wants_weight = weight.defined() && context->needs_input_grad(1),
               wants_bias = bias.defined() && context->needs_input_grad(weight.defined() ? 2 : 1);
    const c10::SymInt planes = x.sym_size(0) * x.sym_size(1);
    const auto [grad_x, grad_weight, grad_bias] = at::native_group_norm_backward_symint(
        grads[0].contiguous(), x.contiguous(), saved[1], saved[2], optional_of(weight), x.sym_size(0),
        x.sym_size(1), planes == 0 ? x.sym_numel() : x.sym_numel() / planes, groups,
        {context->needs_input_grad(0), wants_weight, wants_bias});
    return {grad_x, Tensor(), grad_weight, grad_bias, Tensor()};
  }

  /// ATen's backward has no derivative of its own: what it computes, by operators that have.
  static variable_list differentiable(AutogradContext* context, const variable_list& saved,
                                      const Tensor& grad) {
    const Tensor &x = saved[0], &weight = saved[3], &bias = saved[4];
    const std::vector<c10::SymInt> grouped = {x.sym_size(0), context->saved_data["num_groups"].toInt(), -1};
    std::vector<int64_t> per_channel(static_cast<std::size_t>(x.dim()), 1), others = {0};
    per_channel[1] = -1;
    for (int64_t dim = 2; dim < x.dim(); ++dim) others.push_back(dim);
    const Tensor rows = x.reshape_symint(grouped), centered = rows - rows.mean(-1, true);
    const Tensor rstd = (centered.square().mean(-1, true) + context->saved_data["eps"].toDouble()).rsqrt();
    const Tensor normalized = centered * rstd;
    const Tensor scaled =
        (weight.defined() ? grad * weight.reshape(per_channel) : grad).reshape_symint(grouped);
    const Tensor grad_x =
        rstd * (scaled - scaled.mean(-1, true) - normalized * (scaled * normalized).mean(-1, true));
    return {grad_x.reshape_symint(x.sym_sizes()), Tensor(),
            weight.defined() ? (grad * normalized.reshape_symint(x.sym_sizes())).sum(others) : Tensor(),
            bias.defined() ? grad.sum(others) : Tensor(), Tensor()};
  }
};

Tensors group_norm_autograd(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                            const OptionalTensor& bias, double eps) {
  const variable_list outputs = GroupNormFunction::apply(x, num_groups, weight, bias, eps);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "group_norm(Tensor x, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool "
      "cudnn_enabled=True) -> Tensor",
      group_norm_as_aten);
  library.def(
      "native_group_norm(Tensor x, int num_groups, Tensor? weight, Tensor? bias, float eps) -> (Tensor y, "
      "Tensor mean, Tensor rstd)");
}
TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("native_group_norm", group_norm_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("native_group_norm", group_norm_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("native_group_norm", group_norm_autograd);
}

}  // namespace samebits::ops
