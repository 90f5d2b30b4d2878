// samebits::float_conv2d on CUDA.
#include "csrc/float/float_conv2d.h"

#include <torch/library.h>

#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/conv/cuda/conv_sizes.h"
#include "kernels/conv/cuda/float_conv2d.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Tensor float_conv2d_cuda(const FloatConv2dCall& call) {
  Tensor y = empty_float_conv2d(call);
  check_device(call.kOp, "", "weight", call.weight, call.x);
  if (call.bias.has_value()) check_device(call.kOp, "", "bias", *call.bias, call.x);
  if (call.channel_scale.has_value())
    check_device(call.kOp, "", "channel_scale", *call.channel_scale, call.x);
  if (y.numel() == 0) return y;
  const c10::cuda::CUDAGuard guard(call.x.device());
  const kernels::Conv2dShape shape = float_conv2d_shape(call);
  TORCH_CHECK(kernels::cuda::ConvSizes::fits(shape), "[float_conv2d] x: expected sizes below ",
              int64_t{1} << 31, " on CUDA, got shape ", call.x.sizes());
  const Tensor x = call.x.contiguous(), weight = call.weight.contiguous();
  Tensor bias, channel_scale;
  check_launch(call.kOp, kernels::cuda::launch_float_conv2d(
                             {x.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                              floats_or_null(call.bias, bias), y.mutable_data_ptr<float>(),
                              floats_or_null(call.channel_scale, channel_scale)},
                             shape, x.size(0), current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("float_conv2d", unpacked<float_conv2d_cuda>);
}

}  // namespace samebits::ops
