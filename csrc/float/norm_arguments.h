// Checks and saved arguments that the norms share.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>

namespace samebits::ops {

using OptionalTensor = std::optional<at::Tensor>;

/// Throws c10::Error unless x ends in normalized_shape, a weight and a bias have it, and all are float32.
void check_normalized(const char* op, const at::Tensor& x, at::IntArrayRef normalized_shape,
                      const OptionalTensor& weight, const OptionalTensor& bias);
/// Throws c10::Error unless x is float32 [batch, channels, …], and a parameter float32 [channels].
void check_channels(const char* op, const at::Tensor& x);
void check_channel_parameter(const char* op, const char* name, const at::Tensor& x,
                             const OptionalTensor& tensor);

/// Contiguous float32, and its data; null where there is none. Keeps the tensor alive.
struct Parameter {
  at::Tensor tensor;
  const float* data = nullptr;
  explicit Parameter(const OptionalTensor& any) {
    if (!any.has_value() || !any->defined()) return;
    tensor = any->contiguous();
    data = tensor.const_data_ptr<float>();
  }
};

/// The tensor, undefined where there is none.
inline at::Tensor tensor_or_none(const OptionalTensor& any) {
  return any.has_value() ? *any : at::Tensor();
}
inline OptionalTensor optional_of(const at::Tensor& any) {
  return any.defined() ? OptionalTensor(any) : std::nullopt;
}

}  // namespace samebits::ops
