#include "csrc/float/norm_arguments.h"

#include <algorithm>

#include "csrc/common/check.h"

namespace samebits::ops {
namespace {

bool ends_in(const at::Tensor& x, at::IntArrayRef shape) {
  const auto sizes = x.sym_sizes();
  return sizes.size() >= shape.size() &&
         std::equal(shape.begin(), shape.end(), sizes.end() - static_cast<std::ptrdiff_t>(shape.size()),
                    [](int64_t wanted, const c10::SymInt& size) { return size == wanted; });
}

}  // namespace

void check_normalized(const char* op, const at::Tensor& x, at::IntArrayRef normalized_shape,
                      const OptionalTensor& weight, const OptionalTensor& bias) {
  check_dtype(op, "x", x, at::kFloat);
  TORCH_CHECK(!normalized_shape.empty() && ends_in(x, normalized_shape), "[", op,
              "] x: expected a shape that ends in ", normalized_shape, ", got ", x.sym_sizes());
  for (const auto& [name, tensor] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
    if (!tensor->has_value()) continue;
    check_dtype(op, name, **tensor, at::kFloat);
    const bool fits = (*tensor)->dim() == static_cast<int64_t>(normalized_shape.size()) &&
                      ends_in(**tensor, normalized_shape);
    TORCH_CHECK(fits, "[", op, "] ", name, ": expected ", normalized_shape, ", got shape ",
                (*tensor)->sym_sizes());
  }
}

void check_channels(const char* op, const at::Tensor& x) {
  check_dtype(op, "x", x, at::kFloat);
  TORCH_CHECK(x.dim() >= 2, "[", op, "] x: expected [batch, channels, ...], got shape ", x.sym_sizes());
}

void check_channel_parameter(const char* op, const char* name, const at::Tensor& x,
                             const OptionalTensor& tensor) {
  if (!tensor.has_value() || !tensor->defined()) return;
  check_dtype(op, name, *tensor, at::kFloat);
  TORCH_CHECK(tensor->dim() == 1 && tensor->sym_size(0) == x.sym_size(1), "[", op, "] ", name, ": expected [",
              x.sym_size(1), "], got shape ", tensor->sym_sizes());
}

}  // namespace samebits::ops
