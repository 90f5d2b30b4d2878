// samebits::adaptive_avg_pool2d: schema, CPU, Meta, autograd.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/float/reduce.h"
#include "csrc/float/rows.h"
#include "kernels/float/reduce.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("adaptive_avg_pool2d(Tensor x, int[2] output_size) -> Tensor");
}

Tensor adaptive_avg_pool2d(const Tensor& x, IntArrayRef output_size) {
  static const auto op = find_op<decltype(adaptive_avg_pool2d)>("samebits::adaptive_avg_pool2d");
  return op.call(x, output_size);
}

namespace {

Tensor pool_meta(const Tensor& x, IntArrayRef output_size) {
  check_dtype("adaptive_avg_pool2d", "x", x, at::kFloat);
  TORCH_CHECK(output_size.size() == 2 && output_size[0] >= 1 && output_size[1] >= 1,
              "[adaptive_avg_pool2d] output_size: expected 2 integers >= 1, got ", output_size);
  TORCH_CHECK((x.dim() == 3 || x.dim() == 4) && x.sym_size(-1) > 0 && x.sym_size(-2) > 0,
              "[adaptive_avg_pool2d] x: expected [..., channels, height, width] of sizes >= 1, got shape ",
              x.sym_sizes());
  std::vector<c10::SymInt> sizes = x.sym_sizes().vec();
  std::copy(output_size.begin(), output_size.end(), sizes.end() - 2);
  return at::empty_symint(sizes, x.options());
}

Tensor pool_cpu(const Tensor& x_any, IntArrayRef output_size) {
  Tensor y = pool_meta(x_any, output_size);
  if (y.numel() == 0) return y;
  const Tensor x = x_any.contiguous();
  const kernels::AdaptivePoolShape shape{{x.size(-2), x.size(-1)}, {output_size[0], output_size[1]}};
  const float* const from = x.const_data_ptr<float>();
  auto* const to = y.mutable_data_ptr<float>();
  const int64_t plane = x.size(-2) * x.size(-1);
  at::parallel_for(0, x.numel() / plane, row_grain(plane), [&](int64_t begin, int64_t end) {
    kernels::adaptive_avg_pool(shape, from, to, begin, end);
  });
  return y;
}

struct AdaptiveAvgPoolFunction : torch::autograd::Function<AdaptiveAvgPoolFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, IntArrayRef output_size) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x});
    return ops::adaptive_avg_pool2d(x, output_size);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return {at::_adaptive_avg_pool2d_backward(grads[0], context->get_saved_variables()[0]), Tensor()};
  }
};

Tensor pool_autograd(const Tensor& x, IntArrayRef output_size) {
  return AdaptiveAvgPoolFunction::apply(x, output_size);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("adaptive_avg_pool2d", pool_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("adaptive_avg_pool2d", pool_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("adaptive_avg_pool2d", pool_autograd);
}

}  // namespace samebits::ops
