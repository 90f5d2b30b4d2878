// torch operator samebits::dequantize.
#pragma once

#include <ATen/ATen.h>

namespace samebits::ops {

/// float32 reals of int8 codes: (code - zero_point) * scale. Arguments as in fake_quantize.h; the grids'
/// range is not needed. No gradient.
at::Tensor dequantize(const at::Tensor& codes, const at::Tensor& scale, const at::Tensor& zero_point,
                      int64_t axis = 0, int64_t group_size = 0);

}  // namespace samebits::ops
