// torch operator samebits::quantize_stochastic.
#pragma once

#include <ATen/ATen.h>

#include "csrc/quantize/quantize.h"

namespace samebits::ops {

/// quantize with stochastic rounding: up with the probability of the part above the code below. Element i of
/// x's row-major order takes random word i of (seed, stream), so that a call repeats to the bit at any number
/// of threads; another stream gives other numbers. No gradient.
Quantized quantize_stochastic(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
                              int64_t qmin, int64_t qmax, int64_t seed, int64_t stream = 0, int64_t axis = 0,
                              int64_t group_size = 0);

}  // namespace samebits::ops
