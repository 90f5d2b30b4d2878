// The straight-through estimator: a gradient passes where the code is not clipped. Y. Bengio, N. Leonard,
// A. Courville, Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation,
// arXiv:1308.3432.
#pragma once

#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

/// Grids follow ranges: of the weight as it is, and of what the input's observer sees.
class Ste : public Estimator {};

}  // namespace samebits
