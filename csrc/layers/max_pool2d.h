// torch operator samebits::max_pool2d.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

/// The largest element of each window: y [n, channels, height', width'] of x float32 [n, channels, height,
/// width], with the values and gradients of at::max_pool2d without dilation and ceil_mode. kernel, stride and
/// padding are {height, width}; a window holds at most 255 elements. argmax, uint8 of y's shape, is the
/// chosen place within the window and all that backward keeps (at::max_pool2d keeps x and 8 bytes an output).
std::tuple<at::Tensor, at::Tensor> max_pool2d(const at::Tensor& x, at::IntArrayRef kernel,
                                              at::IntArrayRef stride, at::IntArrayRef padding);

}  // namespace samebits::ops
