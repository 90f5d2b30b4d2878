// torch operator samebits::quantize.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

using Quantized = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // codes, clip_mask, saw_nan

/// int8 codes of x (float32, bfloat16 or float16), of its shape; ONNX QuantizeLinear with NaN defined.
/// Arguments and the other outputs as in fake_quantize.h. No gradient.
Quantized quantize(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point, int64_t qmin,
                   int64_t qmax, int64_t axis = 0, int64_t group_size = 0);

}  // namespace samebits::ops
