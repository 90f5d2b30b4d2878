// samebits::fake_quantize on CUDA: checks of shapes only, because a look at scales would wait for the device.
#include "csrc/quantize/fake_quantize.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/quantize/cuda/fake_quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

FakeQuantized fake_quantize_cuda(const Tensor& x_any, const Tensor& scale, const Tensor& zero_point,
                                 int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("fake_quantize", "x", x_any);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const DeviceGridTable grids({"fake_quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  const Tensor y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const Tensor saw_nan = lowered_flag(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr(), y.mutable_data_ptr(),
                                       clip_mask.mutable_data_ptr<uint8_t>(), type};
  check_launch("fake_quantize",
               kernels::cuda::launch_fake_quantize(args, grids.table, x.numel(),
                                                   saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {y, clip_mask, saw_nan.to(at::kBool)};
}

Tensor fake_quantize_backward_cuda(const Tensor& grad_any, const Tensor& mask_any) {
  const kernels::FloatType type = float_type("fake_quantize_backward", "grad_y", grad_any);
  check_dtype("fake_quantize_backward", "clip_mask", mask_any, at::kByte);
  check_device("fake_quantize_backward", "", "clip_mask", mask_any, grad_any);
  TORCH_CHECK(mask_any.numel() == (grad_any.numel() + 7) / 8, "[fake_quantize_backward] clip_mask: expected ",
              (grad_any.numel() + 7) / 8, " bytes for ", grad_any.numel(), " elements, got ",
              mask_any.numel());
  const c10::cuda::CUDAGuard guard(grad_any.device());
  const Tensor grad_y = grad_any.contiguous(), clip_mask = mask_any.contiguous(),
               grad_x = at::empty_like(grad_y);
  check_launch("fake_quantize_backward",
               kernels::cuda::launch_fake_quantize_backward(
                   grad_y.const_data_ptr(), clip_mask.const_data_ptr<uint8_t>(), grad_x.mutable_data_ptr(),
                   grad_y.numel(), type, current_stream()));
  return grad_x;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("fake_quantize", fake_quantize_cuda);
  library.impl("fake_quantize_backward", fake_quantize_backward_cuda);
}

}  // namespace samebits::ops
