// samebits::apply_function on CUDA.
#include <torch/library.h>

#include "csrc/common/cuda/launch.h"
#include "csrc/float/function_call.h"
#include "kernels/float/cuda/function.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Tensor apply_cuda(const Tensor& x_any, c10::string_view function, at::ArrayRef<double> scales) {
  kernels::FunctionArgs args = function_call(x_any, function, scales);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = elements_of(x_any), y = empty_result(x_any);
  args.x = x.const_data_ptr<float>();
  args.y = y.mutable_data_ptr<float>();
  check_launch("apply_function", kernels::cuda::launch_function(args, x.numel(), current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("apply_function", apply_cuda);
}

}  // namespace samebits::ops
