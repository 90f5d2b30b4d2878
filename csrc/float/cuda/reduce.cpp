// samebits::sum, mean and amax on CUDA.
#include "csrc/float/reduce.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/float/reduced_dims.h"
#include "kernels/float/cuda/reduce.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using Launch = const char* (*)(const kernels::ReduceArgs&, std::int64_t, CUstream_st*);

Tensor reduced(const char* op, const Tensor& x, const ReducedDims& dims, bool keepdim, bool is_mean,
               Launch launch) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Tensor y = at::empty_symint(dims.sizes(x, keepdim), x.options());
  const RowsOf rows = dims.rows(x);
  const kernels::ReduceArgs args{rows.x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows.shape,
                                 is_mean};
  check_launch(op, launch(args, y.numel(), current_stream()));
  return y;
}

template <bool kMean>
Tensor sum_cuda(const Tensor& x, at::OptionalIntArrayRef dim, bool keepdim,
                std::optional<at::ScalarType> dtype) {
  constexpr const char* kOp = kMean ? "mean" : "sum";
  check_dtype(kOp, "x", x, at::kFloat);
  check_no_cast(kOp, dtype);
  return reduced(kOp, x, ReducedDims(kOp, x, dim.value_or(at::IntArrayRef())), keepdim, kMean,
                 kernels::cuda::launch_sum_rows);
}

Tensor amax_cuda(const Tensor& x, at::IntArrayRef dim, bool keepdim) {
  check_dtype("amax", "x", x, at::kFloat);
  const ReducedDims dims("amax", x, dim);
  dims.check_not_empty("amax", x);
  return reduced("amax", x, dims, keepdim, false, kernels::cuda::launch_max_rows);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("sum", sum_cuda<false>);
  library.impl("mean", sum_cuda<true>);
  library.impl("amax", amax_cuda);
}

}  // namespace samebits::ops
