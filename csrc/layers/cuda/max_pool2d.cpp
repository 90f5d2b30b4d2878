// samebits::max_pool2d and its gradient on CUDA. Places are not checked, because a look at them would wait:
// one that is none of its window gets no gradient.
#include "csrc/layers/max_pool2d.h"

#include <torch/library.h>

#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/conv/cuda/max_pool.h"

namespace samebits::ops {
namespace {

using at::IntArrayRef;
using at::Tensor;

std::tuple<Tensor, Tensor> max_pool2d_cuda(const Tensor& x_any, IntArrayRef kernel, IntArrayRef stride,
                                           IntArrayRef padding) {
  const PoolWindow window{kernel, stride, padding};
  const kernels::MaxPoolShape shape = max_pool2d_shape(x_any, window);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const auto [y, argmax] = empty_max_pool2d(x_any, window);
  const Tensor x = x_any.contiguous();
  check_launch("max_pool2d",
               kernels::cuda::launch_max_pool(shape, x.size(0) * x.size(1), x.const_data_ptr<float>(),
                                              y.mutable_data_ptr<float>(), argmax.mutable_data_ptr<uint8_t>(),
                                              current_stream()));
  return {y, argmax};
}

Tensor max_pool2d_backward_cuda(const Tensor& grad_any, const Tensor& argmax_any, IntArrayRef x_size,
                                IntArrayRef kernel, IntArrayRef stride, IntArrayRef padding) {
  const kernels::MaxPoolShape shape =
      max_pool2d_backward_shape(grad_any, argmax_any, x_size, {kernel, stride, padding});
  check_device("max_pool2d_backward", "", "argmax", argmax_any, grad_any);
  const c10::cuda::CUDAGuard guard(grad_any.device());
  const Tensor grad_y = grad_any.contiguous(), argmax = argmax_any.contiguous();
  const Tensor grad_x = empty_max_pool2d_gradient(grad_y, x_size);
  check_launch("max_pool2d_backward",
               kernels::cuda::launch_max_pool_backward(
                   shape, grad_y.size(0) * grad_y.size(1), grad_y.const_data_ptr<float>(),
                   argmax.const_data_ptr<uint8_t>(), grad_x.mutable_data_ptr<float>(), current_stream()));
  return grad_x;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("max_pool2d", max_pool2d_cuda);
  library.impl("max_pool2d_backward", max_pool2d_backward_cuda);
}

}  // namespace samebits::ops
