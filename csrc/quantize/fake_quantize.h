// torch operators samebits::fake_quantize and samebits::fake_quantize_backward.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

using FakeQuantized = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // y, clip_mask, saw_nan

/// x (float32, bfloat16 or float16) to its grid and back: y like x, the arithmetic in float32; clip_mask, one
/// bit an element (kernels/quantize/fake_quantize.h); saw_nan, a bool of no dimensions. `scale` (float32) and
/// `zero_point` (int32) hold one element, one a channel of `axis`, or, with group_size > 0, [x.size(0),
/// groups]. Straight-through gradient for x.
FakeQuantized fake_quantize(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
                            int64_t qmin, int64_t qmax, int64_t axis = 0, int64_t group_size = 0);

/// grad_y where the mask bit is 0, else 0.
at::Tensor fake_quantize_backward(const at::Tensor& grad_y, const at::Tensor& clip_mask);

}  // namespace samebits::ops
