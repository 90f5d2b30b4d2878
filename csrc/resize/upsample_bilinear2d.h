// torch operator samebits::upsample_bilinear2d: interpolation whose bits are part of the contract
// (docs/numerics.md §16), in the place of at::upsample_bilinear2d.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// As at::upsample_bilinear2d, for float32 [n, channels, height, width] on the CPU, with a size or with
/// factors. Gradients, also of second order, are ATen's.
at::Tensor upsample_bilinear2d(const at::Tensor& x, at::OptionalSymIntArrayRef output_size,
                               bool align_corners, std::optional<at::ArrayRef<double>> scale_factors);

}  // namespace samebits::ops
