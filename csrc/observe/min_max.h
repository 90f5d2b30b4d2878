// torch operators samebits::min_max and samebits::grid_of_range: from values to ranges to grids.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

using Range = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // min, max, saw_nan

/// The ranges of x (float32, bfloat16 or float16) seen as `rows` rows of equal length, each cut into groups
/// of `group_size` (0: none; the last may be short): min and max, float32 of shape [rows] or [rows, groups];
/// saw_nan, a bool of no dimensions. NaNs are left out. rows = 1: per tensor. rows = x.size(0): per output
/// channel.
Range min_max(const at::Tensor& x, int64_t rows = 1, int64_t group_size = 0);

/// The grids (scale float32, zero_point int32, shaped as min) of grid_of_range in kernels/common/affine.h.
/// Throws c10::Error on a range that is not finite.
std::tuple<at::Tensor, at::Tensor> grid_of_range(const at::Tensor& min, const at::Tensor& max, int64_t qmin,
                                                 int64_t qmax, bool symmetric);

}  // namespace samebits::ops
