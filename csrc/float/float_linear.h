// torch operator samebits::float_linear: a float32 linear layer whose bits are part of the contract
// (docs/numerics.md §12): what a layer that stays float computes in eval mode, and in the package.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace samebits::ops {

/// y [..., out] = x [..., in] · weightᵀ + bias, all float32; weight [out, in], bias [out] or none;
/// channel_scale [out]: factors of the sums, before the bias (docs/numerics.md §13). Gradients, also of
/// second order, are ATen's.
at::Tensor float_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                        const std::optional<at::Tensor>& channel_scale = std::nullopt);

/// y with nothing in it. Checks everything that the shapes of a call tell; the batch may be symbolic.
at::Tensor empty_float_linear(const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias,
                              const std::optional<at::Tensor>& channel_scale);

}  // namespace samebits::ops
