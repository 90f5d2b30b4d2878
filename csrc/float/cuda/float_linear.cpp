// samebits::float_linear on CUDA.
#include "csrc/float/float_linear.h"

#include <torch/library.h>

#include "csrc/common/cuda/launch.h"
#include "csrc/layers/layer.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/matmul/cuda/float_gemm.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Tensor float_linear_cuda(const Tensor& x_any, const Tensor& weight_any, const std::optional<Tensor>& bias_any,
                         const std::optional<Tensor>& channel_scale_any) {
  Tensor y = empty_float_linear(x_any, weight_any, bias_any, channel_scale_any);
  check_device("float_linear", "", "weight", weight_any, x_any);
  if (bias_any.has_value()) check_device("float_linear", "", "bias", *bias_any, x_any);
  if (channel_scale_any.has_value())
    check_device("float_linear", "", "channel_scale", *channel_scale_any, x_any);
  if (y.numel() == 0) return y;
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), weight = weight_any.contiguous();
  Tensor bias, channel_scale;
  const int64_t n = weight.size(0);
  check_launch("float_linear", kernels::cuda::launch_float_linear(
                                   {.x = x.const_data_ptr<float>(),
                                    .weight = weight.const_data_ptr<float>(),
                                    .bias = floats_or_null(bias_any, bias),
                                    .channel_scale = floats_or_null(channel_scale_any, channel_scale),
                                    .y = y.mutable_data_ptr<float>(),
                                    .m = y.numel() / n,
                                    .n = n,
                                    .k = weight.size(1)},
                                   current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("float_linear", float_linear_cuda);
}

}  // namespace samebits::ops
