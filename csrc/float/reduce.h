// torch operators over kernels/float/reduce.h: float32, sums in the one order of docs/numerics.md §15, the
// gradients of torch's operators. Schemas begin as ATen's do.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// Over `dim`, or all dimensions where there is none. Dimensions that do not stand side by side are brought
/// together: elements are taken in the order of x's dimensions. `dtype` is float32 or nothing.
at::Tensor sum(const at::Tensor& x, at::OptionalIntArrayRef dim, bool keepdim = false,
               std::optional<at::ScalarType> dtype = std::nullopt);
at::Tensor mean(const at::Tensor& x, at::OptionalIntArrayRef dim, bool keepdim = false,
                std::optional<at::ScalarType> dtype = std::nullopt);

/// The largest element: NaN if there is one, +0 for a zero of either sign. Equal ones share the gradient.
at::Tensor amax(const at::Tensor& x, at::IntArrayRef dim, bool keepdim = false);
/// The place of the first largest element, int64, where a NaN is the largest.
at::Tensor argmax(const at::Tensor& x, std::optional<int64_t> dim, bool keepdim = false);

/// x [..., height, width] to [..., output_size]: the mean of each window of at::adaptive_avg_pool2d.
at::Tensor adaptive_avg_pool2d(const at::Tensor& x, at::IntArrayRef output_size);

}  // namespace samebits::ops
