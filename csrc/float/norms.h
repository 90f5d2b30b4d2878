// torch operators over kernels/float/normalize.h: float32, the same bits on every machine (docs/numerics.md
// §15), the gradients of torch's operators. Results are contiguous. Schemas begin as ATen's do, so that a
// graph may call one in the place of the other; `cudnn_enabled` is not looked at.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <tuple>

namespace samebits::ops {

/// Over the last dimensions of x, whose sizes are normalized_shape; weight and bias have that shape.
at::Tensor layer_norm(const at::Tensor& x, at::IntArrayRef normalized_shape,
                      const std::optional<at::Tensor>& weight, const std::optional<at::Tensor>& bias,
                      double eps);
/// Besides y the mean and 1 / sqrt(variance + eps) of each row, in x's shape with 1 for what is normalized.
std::tuple<at::Tensor, at::Tensor, at::Tensor> native_layer_norm(const at::Tensor& x,
                                                                 at::IntArrayRef normalized_shape,
                                                                 const std::optional<at::Tensor>& weight,
                                                                 const std::optional<at::Tensor>& bias,
                                                                 double eps);

/// x [batch, channels, …]; weight and bias [channels].
at::Tensor group_norm(const at::Tensor& x, int64_t num_groups, const std::optional<at::Tensor>& weight,
                      const std::optional<at::Tensor>& bias, double eps);
/// Besides y the mean and 1 / sqrt(variance + eps) of each group, [batch, num_groups].
std::tuple<at::Tensor, at::Tensor, at::Tensor> native_group_norm(const at::Tensor& x, int64_t num_groups,
                                                                 const std::optional<at::Tensor>& weight,
                                                                 const std::optional<at::Tensor>& bias,
                                                                 double eps);

/// Without an eps that of float32.
at::Tensor rms_norm(const at::Tensor& x, at::IntArrayRef normalized_shape,
                    const std::optional<at::Tensor>& weight, std::optional<double> eps);

/// What at::batch_norm is in eval mode, for x [batch, channels, …].
at::Tensor eval_batch_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                           const std::optional<at::Tensor>& bias, const at::Tensor& running_mean,
                           const at::Tensor& running_var, double eps);

}  // namespace samebits::ops
