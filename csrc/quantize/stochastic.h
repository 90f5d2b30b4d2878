// torch operator samebits::quantize_stochastic.
#pragma once

#include <ATen/ATen.h>

#include "csrc/common/call.h"
#include "csrc/quantize/quantize.h"

namespace samebits::ops {

/// quantize with stochastic rounding: up with the probability of the part above the code below. Element i of
/// x's row-major order takes random word i of (seed, stream), so that a call repeats to the bit at any number
/// of threads; another stream gives other numbers. No gradient.
struct StochasticCall {
  static constexpr const char *kOp = "quantize_stochastic", *kName = "samebits::quantize_stochastic",
                              *kOverload = "";
  using Result = Quantized;
  at::Tensor x, scale, zero_point;
  int64_t qmin = -128, qmax = 127;
  int64_t seed = 0, stream = 0;
  int64_t axis = 0, group_size = 0;
  auto fields() { return std::tie(x, scale, zero_point, qmin, qmax, seed, stream, axis, group_size); }
};
Quantized quantize_stochastic(const StochasticCall& call);

}  // namespace samebits::ops
