#include "csrc/common/check.h"

#include <c10/core/ScalarType.h>

namespace samebits::ops {
namespace {

std::string_view dtype_name(at::ScalarType type) {
  return c10::getDtypeNames(type).first;
}

}  // namespace

void check_dtype(const char* op, const char* argument, const at::Tensor& tensor, at::ScalarType expected) {
  TORCH_CHECK(tensor.scalar_type() == expected, "[", op, "] ", argument, ": expected ", dtype_name(expected),
              ", got ", dtype_name(tensor.scalar_type()), "; call .to(torch::k", expected, ")");
}

void check_channel_values(const char* op, const char* argument, const std::optional<at::Tensor>& values,
                          const at::Tensor& weight) {
  if (!values.has_value()) return;
  check_dtype(op, argument, *values, at::kFloat);
  TORCH_CHECK(values->dim() == 1 && values->sym_size(0) == weight.sym_size(0), "[", op, "] ", argument,
              ": expected [", weight.sym_size(0), "], got shape ", values->sym_sizes());
}

kernels::FloatType float_type(const char* op, const char* argument, const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16 || type == at::kHalf, "[", op, "] ", argument,
              ": expected float32, bfloat16 or float16, got ", dtype_name(type), "; call .to(torch::kFloat)");
  if (type == at::kBFloat16) return kernels::FloatType::kBfloat16;
  return type == at::kHalf ? kernels::FloatType::kFloat16 : kernels::FloatType::kFloat32;
}

void check_code_range(const char* op, const char* argument, int64_t qmin, int64_t qmax) {
  TORCH_CHECK(-128 <= qmin && qmin < qmax && qmax <= 127, "[", op, "] ", argument,
              ": expected -128 <= qmin < qmax <= 127, got ", qmin, " and ", qmax);
}

}  // namespace samebits::ops
