// torch operator samebits::dequantize.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// Reals of int8 codes: (code - zero_point) * scale, float32, or rounded once more to a 16-bit dtype.
/// Arguments as in fake_quantize.h; the grids' range is not needed. No gradient.
at::Tensor dequantize(const at::Tensor& codes, const at::Tensor& scale, const at::Tensor& zero_point,
                      int64_t axis = 0, int64_t group_size = 0,
                      std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace samebits::ops
