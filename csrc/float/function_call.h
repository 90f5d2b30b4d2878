// What the kernels of samebits::apply_function on each device need of a call.
#pragma once

#include <ATen/ATen.h>

#include "kernels/float/function.h"

namespace samebits::ops {

/// The function of that name, without pointers. Throws c10::Error when there is none, x is not float32, or
/// `scales` are not 3 finite numbers.
kernels::FunctionArgs function_call(const at::Tensor& x, c10::string_view function,
                                    at::ArrayRef<double> scales);

/// Laid out as x where x has no gaps, else contiguous: with elements_of(x) the two are walked alike.
at::Tensor empty_result(const at::Tensor& x);
at::Tensor elements_of(const at::Tensor& x);

}  // namespace samebits::ops
