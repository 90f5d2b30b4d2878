// torch operators samebits::fake_quantize_learned and samebits::fake_quantize_learned_backward: fake
// quantization whose scale, and zero point if wanted, are trained (kernels/quantize/lsq.h).
#pragma once

#include <ATen/ATen.h>

#include <tuple>

#include "csrc/quantize/fake_quantize.h"

namespace samebits::ops {

/// fake_quantize with gradients for x, scale and zero_point: LSQ and LSQ+. `zero_point` is int32 and fixed,
/// or float32 and trained: rounded to the nearest integer, ties to even, and limited to [qmin, qmax], both
/// straight through. qmax > 0. Keeps x for backward. The factor 1 / sqrt(N * qmax) is in the gradients.
FakeQuantized fake_quantize_learned(const at::Tensor& x, const at::Tensor& scale,
                                    const at::Tensor& zero_point, int64_t qmin, int64_t qmax,
                                    int64_t axis = 0, int64_t group_size = 0);

/// grad_x like x; grad_scale and grad_zero_point, float32 like scale. One pass; the same bits at any number
/// of threads.
std::tuple<at::Tensor, at::Tensor, at::Tensor> fake_quantize_learned_backward(
    const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
    int64_t qmin, int64_t qmax, int64_t axis = 0, int64_t group_size = 0);

/// What shapes and dtypes tell of either call. Throws c10::Error.
void check_learned_shapes(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
                          int64_t qmin, int64_t qmax, int64_t axis, int64_t group_size);

}  // namespace samebits::ops
