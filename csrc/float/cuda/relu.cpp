// samebits::relu on CUDA.
#include "csrc/float/relu.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/grids.h"
#include "kernels/float/cuda/relu.h"

namespace samebits::ops {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> relu_cuda(const Tensor& x_any) {
  check_dtype("relu", "x", x_any, at::kFloat);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const kernels::ReluArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                               clip_mask.mutable_data_ptr<uint8_t>()};
  check_launch("relu", kernels::cuda::launch_relu(args, x.numel(), current_stream()));
  return {y, clip_mask};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("relu", relu_cuda);
}

}  // namespace samebits::ops
