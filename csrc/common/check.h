// Argument checks that several operators share. One form: [operator] argument: expected …, got …; remedy.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>

#include "kernels/common/float_type.h"

namespace samebits::ops {

void check_dtype(const char* op, const char* argument, const at::Tensor& tensor, at::ScalarType expected);

/// A bias or the like, if any: float32, one value for each row of the weight.
void check_channel_values(const char* op, const char* argument, const std::optional<at::Tensor>& values,
                          const at::Tensor& weight);

/// float32, bfloat16 or float16, as the kernels call it. Throws c10::Error on another type.
kernels::FloatType float_type(const char* op, const char* argument, const at::Tensor& tensor);

/// -128 <= qmin < qmax <= 127.
void check_code_range(const char* op, const char* argument, int64_t qmin, int64_t qmax);

/// The operator of that name, resolved once by the caller.
template <class Signature>
auto find_op(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace samebits::ops
