// torch operator samebits::max_pool2d.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

#include "kernels/conv/max_pool.h"

namespace samebits::ops {

/// The largest element of each window: y [n, channels, height', width'] of x float32 [n, channels, height,
/// width], with the values and gradients of at::max_pool2d without dilation and ceil_mode. kernel, stride and
/// padding are {height, width}; a window holds at most 255 elements. argmax, uint8 of y's shape, is the
/// chosen place within the window and all that backward keeps (at::max_pool2d keeps x and 8 bytes an output).
std::tuple<at::Tensor, at::Tensor> max_pool2d(const at::Tensor& x, at::IntArrayRef kernel,
                                              at::IntArrayRef stride, at::IntArrayRef padding);

/// Kernel, stride and padding of a call, {height, width} each.
struct PoolWindow {
  at::IntArrayRef kernel, stride, padding;
};
/// Checks everything that the shapes of a call tell; the batch may be symbolic.
kernels::MaxPoolShape max_pool2d_shape(const at::Tensor& x, const PoolWindow& window);
kernels::MaxPoolShape max_pool2d_backward_shape(const at::Tensor& grad_y, const at::Tensor& argmax,
                                                at::IntArrayRef x_size, const PoolWindow& window);
/// y and argmax, and grad_x, with nothing in them.
std::tuple<at::Tensor, at::Tensor> empty_max_pool2d(const at::Tensor& x, const PoolWindow& window);
at::Tensor empty_max_pool2d_gradient(const at::Tensor& grad_y, at::IntArrayRef x_size);

}  // namespace samebits::ops
