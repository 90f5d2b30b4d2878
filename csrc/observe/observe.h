// torch operator samebits::observe: what a tensor looks like, in one pass.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace samebits::ops {

/// Tensors of no dimensions: min and max (float32), sum and sum_of_squares (float64, in the one order of
/// kernels/common/chunked_sum.h), saw_nan (bool). NaNs count for nothing but the flag; without any number min
/// is +inf and max -inf.
struct Observed {
  at::Tensor min, max, sum, sum_of_squares, saw_nan;
};

/// Of all elements of x: float32, bfloat16 or float16. No gradient.
Observed observe(const at::Tensor& x);

}  // namespace samebits::ops
