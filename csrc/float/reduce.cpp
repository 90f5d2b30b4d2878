// Schema, checks, CPU, Meta, autograd.
#include "csrc/float/reduce.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/library.h>

#include <algorithm>

#include "csrc/common/check.h"
#include "csrc/float/reduced_dims.h"
#include "csrc/float/rows.h"
#include "kernels/float/reduce.h"

namespace samebits::ops {

using at::IntArrayRef;
using at::OptionalIntArrayRef;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalType = std::optional<at::ScalarType>;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("sum(Tensor x, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor");
  library.def("mean(Tensor x, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor");
  library.def("amax(Tensor x, int[1] dim=[], bool keepdim=False) -> Tensor");
  library.def("argmax(Tensor x, int? dim=None, bool keepdim=False) -> Tensor");
}

Tensor sum(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, OptionalType dtype) {
  static const auto op = find_op<decltype(sum)>("samebits::sum");
  return op.call(x, dim, keepdim, dtype);
}
Tensor mean(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, OptionalType dtype) {
  static const auto op = find_op<decltype(mean)>("samebits::mean");
  return op.call(x, dim, keepdim, dtype);
}
Tensor amax(const Tensor& x, IntArrayRef dim, bool keepdim) {
  static const auto op = find_op<decltype(amax)>("samebits::amax");
  return op.call(x, dim, keepdim);
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  static const auto op = find_op<decltype(argmax)>("samebits::argmax");
  return op.call(x, dim, keepdim);
}

namespace {

void run(const kernels::Kernel<void(const kernels::ReduceArgs&, std::int64_t, std::int64_t)>& kernel,
         const RowsOf& rows, bool is_mean, Tensor& y) {
  const kernels::ReduceArgs args{rows.x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows.shape,
                                 is_mean};
  at::parallel_for(0, y.numel(), row_grain(rows.shape.n),
                   [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

template <bool kMean>
Tensor sum_meta(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, OptionalType dtype) {
  constexpr const char* kOp = kMean ? "mean" : "sum";
  check_dtype(kOp, "x", x, at::kFloat);
  check_no_cast(kOp, dtype);
  return at::empty_symint(ReducedDims(kOp, x, dim.value_or(IntArrayRef())).sizes(x, keepdim), x.options());
}

template <bool kMean>
Tensor sum_cpu(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, OptionalType dtype) {
  Tensor y = sum_meta<kMean>(x, dim, keepdim, dtype);
  if (y.numel() == 0) return y;
  const ReducedDims dims(kMean ? "mean" : "sum", x, dim.value_or(IntArrayRef()));
  run(kernels::sum_rows, dims.rows(x), kMean, y);
  return y;
}

Tensor amax_meta(const Tensor& x, IntArrayRef dim, bool keepdim) {
  check_dtype("amax", "x", x, at::kFloat);
  const ReducedDims dims("amax", x, dim);
  dims.check_not_empty("amax", x);
  return at::empty_symint(dims.sizes(x, keepdim), x.options());
}

Tensor amax_cpu(const Tensor& x, IntArrayRef dim, bool keepdim) {
  Tensor y = amax_meta(x, dim, keepdim);
  if (y.numel() == 0) return y;
  run(kernels::max_rows, ReducedDims("amax", x, dim).rows(x), false, y);
  return y;
}

ReducedDims dims_of_argmax(const Tensor& x, std::optional<int64_t> dim) {
  return {"argmax", x, dim.has_value() ? IntArrayRef(*dim) : IntArrayRef()};
}

Tensor argmax_meta(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  check_dtype("argmax", "x", x, at::kFloat);
  const ReducedDims dims = dims_of_argmax(x, dim);
  dims.check_not_empty("argmax", x);
  return at::empty_symint(dims.sizes(x, keepdim), x.options().dtype(at::kLong));
}

Tensor argmax_cpu(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  Tensor y = argmax_meta(x, dim, keepdim);
  if (y.numel() == 0) return y;
  const RowsOf rows = dims_of_argmax(x, dim).rows(x);
  const float* const from = rows.x.const_data_ptr<float>();
  auto* const to = y.mutable_data_ptr<int64_t>();
  at::parallel_for(0, y.numel(), row_grain(rows.shape.n), [&](int64_t begin, int64_t end) {
    kernels::argmax_rows(from, rows.shape, to, begin, end);
  });
  return y;
}

/// `of_rows`, a tensor without the dimensions that were reduced unless keepdim, in the shape of x.
Tensor expanded(const Tensor& of_rows, const ReducedDims& dims, const Tensor& x) {
  return of_rows.reshape_symint(dims.sizes(x, true)).expand_symint(x.sym_sizes());
}

template <bool kMean>
struct SumFunction : torch::autograd::Function<SumFunction<kMean>> {
  static Tensor forward(AutogradContext* context, const Tensor& x, OptionalIntArrayRef dim, bool keepdim,
                        OptionalType dtype) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const ReducedDims dims(kMean ? "mean" : "sum", x, dim.value_or(IntArrayRef()));
    context->saved_data["sizes"] = c10::IValue(x.sym_sizes());
    context->saved_data["reduced"] = c10::IValue(c10::SymIntArrayRef(dims.sizes(x, true)));
    return kMean ? ops::mean(x, dim, keepdim, dtype) : ops::sum(x, dim, keepdim, dtype);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const std::vector<c10::SymInt> sizes = context->saved_data["sizes"].toSymIntVector(),
                                   reduced = context->saved_data["reduced"].toSymIntVector();
    Tensor grad = grads[0].reshape_symint(reduced).expand_symint(sizes);
    // Sizes of x over those of y, which are 1 where x was reduced.
    c10::SymInt count = 1;
    for (std::size_t dim = 0; dim < sizes.size(); ++dim)
      if (reduced[dim] == 1) count *= sizes[dim];
    if (kMean) grad = grad / at::Scalar(count);
    return {grad, Tensor(), Tensor(), Tensor()};
  }
};

template <bool kMean>
Tensor sum_autograd(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, OptionalType dtype) {
  return SumFunction<kMean>::apply(x, dim, keepdim, dtype);
}

struct AmaxFunction : torch::autograd::Function<AmaxFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, IntArrayRef dim, bool keepdim) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    Tensor y = ops::amax(x, dim, keepdim);
    context->save_for_backward({x, y});
    context->saved_data["dim"] = dim.vec();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> dim = context->saved_data["dim"].toIntVector();
    const ReducedDims dims("amax", saved[0], dim);
    const Tensor is_largest = saved[0] == expanded(saved[1], dims, saved[0]);
    const Tensor count = is_largest.sum(dims.list(), true);
    return {(expanded(grads[0], dims, saved[0]) / count) * is_largest, Tensor(), Tensor()};
  }
};

Tensor amax_autograd(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return AmaxFunction::apply(x, dim, keepdim);
}

Tensor argmax_autograd(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  at::AutoDispatchBelowADInplaceOrView below_autograd;  // no gradient: integers
  return ops::argmax(x, dim, keepdim);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("sum", sum_cpu<false>);
  library.impl("mean", sum_cpu<true>);
  library.impl("amax", amax_cpu);
  library.impl("argmax", argmax_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("sum", sum_meta<false>);
  library.impl("mean", sum_meta<true>);
  library.impl("amax", amax_meta);
  library.impl("argmax", argmax_meta);
}
TORCH_LIBRARY_IMPL(samebits, Autograd, library) {
  library.impl("sum", sum_autograd<false>);
  library.impl("mean", sum_autograd<true>);
  library.impl("amax", amax_autograd);
  library.impl("argmax", argmax_autograd);
}

}  // namespace samebits::ops
