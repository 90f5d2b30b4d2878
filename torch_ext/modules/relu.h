// samebits::relu: torch::relu that keeps 1 bit an element for backward instead of 4 bytes.
#pragma once

#include <torch/types.h>

#include "csrc/float/relu.h"

namespace samebits {

/// The same values and gradients as torch::relu, bit for bit; float32 of any shape. Called with its
/// namespace: torch has a relu that argument-dependent lookup finds as well.
inline torch::Tensor relu(const torch::Tensor& x) {
  return std::get<0>(ops::relu(x));
}

}  // namespace samebits
