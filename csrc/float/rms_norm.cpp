// samebits::rms_norm: schema, CPU, Meta, autograd.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <limits>

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

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("rms_norm(Tensor x, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor");
}

Tensor rms_norm(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                std::optional<double> eps) {
  static const auto op = find_op<decltype(rms_norm)>("samebits::rms_norm");
  return op.call(x, normalized_shape, weight, eps);
}

namespace {

double eps_or_default(std::optional<double> eps) {
  return eps.value_or(double{std::numeric_limits<float>::epsilon()});
}

Tensor rms_norm_meta(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                     std::optional<double> /*eps*/) {
  check_normalized("rms_norm", x, normalized_shape, weight, std::nullopt);
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

Tensor rms_norm_cpu(const Tensor& x_any, IntArrayRef normalized_shape, const OptionalTensor& weight_any,
                    std::optional<double> eps) {
  Tensor y = rms_norm_meta(x_any, normalized_shape, weight_any, eps);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any);
  const kernels::NormalizeArgs args{.x = x.const_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .n = c10::multiply_integers(normalized_shape),
                                    .eps = static_cast<float>(eps_or_default(eps)),
                                    .is_rms = true,
                                    .weight = weight.data};
  at::parallel_for(0, x.numel() / args.n, row_grain(args.n),
                   [&](int64_t begin, int64_t end) { kernels::normalize_rows(args, begin, end); });
  return y;
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, IntArrayRef normalized_shape,
                        const OptionalTensor& weight, std::optional<double> eps) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, tensor_or_none(weight)});
    context->saved_data["dims"] = static_cast<int64_t>(normalized_shape.size());
    context->saved_data["eps"] = eps_or_default(eps);
    return ops::rms_norm(x, normalized_shape, weight, eps);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &grad = grads[0];
    const int64_t first = x.dim() - context->saved_data["dims"].toInt();
    std::vector<int64_t> normalized, others;
    for (int64_t dim = 0; dim < x.dim(); ++dim) (dim < first ? others : normalized).push_back(dim);
    const Tensor rstd = (x.square().mean(normalized, true) + context->saved_data["eps"].toDouble()).rsqrt();
    const Tensor unit = x * rstd, scaled = weight.defined() ? grad * weight : grad;
    const Tensor grad_x = rstd * (scaled - unit * (scaled * unit).mean(normalized, true));
    const Tensor grad_weight = !weight.defined() ? Tensor()
                               : others.empty()  ? grad * unit
                                                 : (grad * unit).sum(others);
    return {grad_x, Tensor(), grad_weight, Tensor()};
  }
};

Tensor rms_norm_autograd(const Tensor& x, IntArrayRef normalized_shape, const OptionalTensor& weight,
                         std::optional<double> eps) {
  return RmsNormFunction::apply(x, normalized_shape, weight, eps);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("rms_norm", rms_norm_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("rms_norm", rms_norm_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("rms_norm", rms_norm_autograd);
}

}  // namespace samebits::ops
