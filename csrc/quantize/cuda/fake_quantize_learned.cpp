// samebits::fake_quantize_learned and its backward on CUDA. Scales and trained zero points are not looked at,
// since a look would wait for the device: one that training has driven to NaN shows in y and in the
// gradients.
#include "csrc/quantize/fake_quantize_learned.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/quantize/cuda/lsq.h"

namespace samebits::ops {
namespace {

using at::Tensor;

constexpr char kOp[] = "fake_quantize_learned", kBackwardOp[] = "fake_quantize_learned_backward";

/// The int32 zero points that are used: the nearest, ties to even, within the codes.
Tensor integer_zero_point(const Tensor& zero_point, int64_t qmin, int64_t qmax) {
  if (zero_point.scalar_type() == at::kInt) return zero_point;
  return at::clamp(at::round(zero_point), qmin, qmax).to(at::kInt);
}

FakeQuantized learned_cuda(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                           int64_t qmax, int64_t axis, int64_t group_size) {
  check_learned_shapes(x, scale, zero_point, qmin, qmax, axis, group_size);
  const c10::cuda::CUDAGuard guard(x.device());
  return fake_quantize(x, scale, integer_zero_point(zero_point, qmin, qmax), qmin, qmax, axis, group_size);
}

std::tuple<Tensor, Tensor, Tensor> backward_cuda(const Tensor& grad_any, const Tensor& x_any,
                                                 const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                                                 int64_t qmax, int64_t axis, int64_t group_size) {
  check_learned_shapes(x_any, scale, zero_point, qmin, qmax, axis, group_size);
  check_dtype(kBackwardOp, "grad_y", grad_any, x_any.scalar_type());
  check_device(kBackwardOp, "", "grad_y", grad_any, x_any);
  TORCH_CHECK(grad_any.sizes() == x_any.sizes(), "[", kBackwardOp, "] grad_y: expected the shape of x, ",
              x_any.sizes(), ", got ", grad_any.sizes());
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor grad_y = grad_any.contiguous(), x = x_any.contiguous(), grad_x = at::empty_like(x);
  const Tensor integers = integer_zero_point(zero_point, qmin, qmax);
  const DeviceGridTable grids({kOp, "", scale, integers, qmin, qmax, axis, group_size}, x);
  const int64_t n = x.numel();
  // Sums of no elements, signs as on the CPU.
  if (n == 0) return {grad_x, at::zeros_like(grids.scale), at::full_like(grids.scale, -0.0)};
  const Tensor grad_scale = at::empty_like(grids.scale), grad_zero_point = at::empty_like(grids.scale);
  const int64_t slots = kernels::LsqLayout(grids.table, n).slots();
  const Tensor sums =
      at::empty({slots * static_cast<int64_t>(sizeof(kernels::LsqSums))}, x.options().dtype(at::kByte));
  const Tensor saw_nan = lowered_flag(x);
  const kernels::LsqArgs args{x.const_data_ptr(), grad_y.const_data_ptr(), grad_x.mutable_data_ptr(),
                              float_type(kOp, "x", x)};
  check_launch(kBackwardOp,
               kernels::cuda::launch_lsq_backward(
                   args, grids.table, n, static_cast<kernels::LsqSums*>(sums.mutable_data_ptr()),
                   grad_scale.mutable_data_ptr<float>(), grad_zero_point.mutable_data_ptr<float>(),
                   saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {grad_x, grad_scale, grad_zero_point};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("fake_quantize_learned", learned_cuda);
  library.impl("fake_quantize_learned_backward", backward_cuda);
}

}  // namespace samebits::ops
