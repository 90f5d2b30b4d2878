// samebits::fake_quantize on CUDA: checks of shapes only, because a look at scales would wait for the device.
#include "csrc/fake_quantize.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "csrc/check.h"
#include "csrc/cuda/launch.h"
#include "csrc/grids.h"
#include "kernels/cuda/fake_quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

FakeQuantized fake_quantize_cuda(const Tensor& x_any, const Tensor& scale_any, const Tensor& zero_point_any,
                                 int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size) {
  check_dtype("fake_quantize", "x", x_any, at::kFloat);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), scale = scale_any.contiguous(),
               zero_point = zero_point_any.contiguous();
  kernels::GridTable table =
      grid_table_shape({"fake_quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  table.scale = scale.const_data_ptr<float>();
  table.zero_point = zero_point.const_data_ptr<int32_t>();
  const Tensor y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const Tensor saw_nan = lowered_flag(x);
  const kernels::FakeQuantizeArgs args{x.const_data_ptr<float>(), y.mutable_data_ptr<float>(),
                                       clip_mask.mutable_data_ptr<uint8_t>()};
  check_launch("fake_quantize",
               kernels::cuda::launch_fake_quantize(args, table, x.numel(), saw_nan.mutable_data_ptr<int>(),
                                                   current_stream()));
  return {y, clip_mask, saw_nan.to(at::kBool)};
}

Tensor fake_quantize_backward_cuda(const Tensor& grad_any, const Tensor& mask_any) {
  check_dtype("fake_quantize_backward", "grad_y", grad_any, at::kFloat);
  check_dtype("fake_quantize_backward", "clip_mask", mask_any, at::kByte);
  const c10::cuda::CUDAGuard guard(grad_any.device());
  const Tensor grad_y = grad_any.contiguous(), clip_mask = mask_any.contiguous(),
               grad_x = at::empty_like(grad_y);
  check_launch("fake_quantize_backward",
               kernels::cuda::launch_fake_quantize_backward(
                   grad_y.const_data_ptr(), clip_mask.const_data_ptr<uint8_t>(), grad_x.mutable_data_ptr(),
                   grad_y.numel(), kernels::FloatType::kFloat32, current_stream()));
  return grad_x;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("fake_quantize", fake_quantize_cuda);
  library.impl("fake_quantize_backward", fake_quantize_backward_cuda);
}

}  // namespace samebits::ops
