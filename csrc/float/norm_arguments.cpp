#include "csrc/float/norm_arguments.h"

#include "csrc/common/check.h"

namespace samebits::ops {

void check_normalized(const char* op, const at::Tensor& x, at::IntArrayRef normalized_shape,
                      const OptionalTensor& weight, const OptionalTensor& bias) {
  check_dtype(op, "x", x, at::kFloat);
  const auto count = static_cast<int64_t>(normalized_shape.size());
  TORCH_CHECK(count >= 1 && x.dim() >= count && x.sizes().slice(x.dim() - count) == normalized_shape, "[", op,
              "] x: expected a shape that ends in ", normalized_shape, ", got ", x.sizes());
  for (const auto& [name, tensor] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
    if (!tensor->has_value()) continue;
    check_dtype(op, name, **tensor, at::kFloat);
    TORCH_CHECK((*tensor)->sizes() == normalized_shape, "[", op, "] ", name, ": expected ", normalized_shape,
                ", got shape ", (*tensor)->sizes());
  }
}

void check_channels(const char* op, const at::Tensor& x) {
  check_dtype(op, "x", x, at::kFloat);
  TORCH_CHECK(x.dim() >= 2, "[", op, "] x: expected [batch, channels, ...], got shape ", x.sizes());
}

void check_channel_parameter(const char* op, const char* name, const at::Tensor& x,
                             const OptionalTensor& tensor) {
  if (!tensor.has_value() || !tensor->defined()) return;
  check_dtype(op, name, *tensor, at::kFloat);
  TORCH_CHECK(tensor->dim() == 1 && tensor->size(0) == x.size(1), "[", op, "] ", name, ": expected [",
              x.size(1), "], got shape ", tensor->sizes());
}

}  // namespace samebits::ops
