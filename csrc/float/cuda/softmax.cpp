// samebits::softmax and samebits::log_softmax on CUDA.
#include "csrc/float/softmax.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/float/rows.h"
#include "kernels/float/cuda/softmax.h"

namespace samebits::ops {
namespace {

using at::Tensor;

template <bool kLog>
Tensor softmax_cuda(const Tensor& x, int64_t dim, std::optional<at::ScalarType> dtype) {
  constexpr const char* kOp = kLog ? "log_softmax" : "softmax";
  check_dtype(kOp, "x", x, at::kFloat);
  check_no_cast(kOp, dtype);
  const int64_t axis = wrapped_dim(kOp, x, dim);
  const c10::cuda::CUDAGuard guard(x.device());
  const RowsOf rows = rows_along(x, axis, axis);
  const Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
  const kernels::SoftmaxArgs args{rows.x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows.shape,
                                  kLog};
  check_launch(kOp, kernels::cuda::launch_softmax(args, rows.rows, current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("softmax", softmax_cuda<false>);
  library.impl("log_softmax", softmax_cuda<true>);
}

}  // namespace samebits::ops
