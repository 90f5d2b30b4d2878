// Schema, checks, CPU, Meta, autograd.
#include "csrc/float/softmax.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/float/rows.h"
#include "kernels/float/softmax.h"

namespace samebits::ops {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalType = std::optional<at::ScalarType>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("softmax(Tensor x, int dim, ScalarType? dtype=None) -> Tensor");
  library.def("log_softmax(Tensor x, int dim, ScalarType? dtype=None) -> Tensor");
}

Tensor softmax(const Tensor& x, int64_t dim, OptionalType dtype) {
  static const auto op = find_op<Tensor(const Tensor&, int64_t, OptionalType)>("samebits::softmax");
  return op.call(x, dim, dtype);
}

Tensor log_softmax(const Tensor& x, int64_t dim, OptionalType dtype) {
  static const auto op = find_op<Tensor(const Tensor&, int64_t, OptionalType)>("samebits::log_softmax");
  return op.call(x, dim, dtype);
}

namespace {

template <bool kLog>
Tensor softmax_meta(const Tensor& x, int64_t dim, OptionalType dtype) {
  constexpr const char* kOp = kLog ? "log_softmax" : "softmax";
  check_dtype(kOp, "x", x, at::kFloat);
  wrapped_dim(kOp, x, dim);
  check_no_cast(kOp, dtype);
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

template <bool kLog>
Tensor softmax_cpu(const Tensor& x, int64_t dim, OptionalType dtype) {
  Tensor y = softmax_meta<kLog>(x, dim, dtype);
  if (y.numel() == 0) return y;
  const int64_t axis = dim < 0 ? dim + std::max<int64_t>(x.dim(), 1) : dim;
  const RowsOf rows = rows_along(x, axis, axis);
  const kernels::SoftmaxArgs args{rows.x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows.shape,
                                  kLog};
  at::parallel_for(0, rows.rows, row_grain(rows.shape.n),
                   [&](int64_t begin, int64_t end) { kernels::softmax(args, begin, end); });
  return y;
}

template <bool kLog>
struct SoftmaxFunction : torch::autograd::Function<SoftmaxFunction<kLog>> {
  static Tensor forward(AutogradContext* context, const Tensor& x, int64_t dim, OptionalType dtype) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Tensor y = kLog ? ops::log_softmax(x, dim, dtype) : ops::softmax(x, dim, dtype);
    context->save_for_backward({y});
    context->saved_data["dim"] = dim;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor y = context->get_saved_variables()[0];
    const int64_t dim = context->saved_data["dim"].toInt();
    return {kLog ? at::_log_softmax_backward_data(grads[0], y, dim, at::kFloat)
                 : at::_softmax_backward_data(grads[0], y, dim, at::kFloat),
            Tensor(), Tensor()};
  }
};

template <bool kLog>
Tensor softmax_autograd(const Tensor& x, int64_t dim, OptionalType dtype) {
  return SoftmaxFunction<kLog>::apply(x, dim, dtype);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("softmax", softmax_cpu<false>);
  library.impl("log_softmax", softmax_cpu<true>);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("softmax", softmax_meta<false>);
  library.impl("log_softmax", softmax_meta<true>);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("softmax", softmax_autograd<false>);
  library.impl("log_softmax", softmax_autograd<true>);
}

}  // namespace samebits::ops
