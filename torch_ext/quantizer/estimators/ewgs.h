// Element-wise gradient scaling: J. Lee, D. Kim, B. Ham, Network Quantization with Element-wise Gradient
// Scaling, CVPR 2021, arXiv:2104.00903, equation 5. Where the code is not clipped the gradient g becomes
// g * (1 + delta * sign(g) * (v - rint(v))), v = x / scale: larger for values that it drives towards the next
// code. The paper measures the error in parts of the whole interval; here in steps, so delta is the paper's
// divided by qmax - qmin.
#pragma once

#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

/// Grids follow ranges, as with ste.
class Ewgs : public Estimator {
 public:
  explicit Ewgs(double delta) : delta_(delta) {}
  bool is_straight_through(Operand) const override { return false; }
  torch::Tensor quantized(const torch::Tensor& values, const EstimatedGrid& grid) const override;

 private:
  double delta_;
};

}  // namespace samebits
