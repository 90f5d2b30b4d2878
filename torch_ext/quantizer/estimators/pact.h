// A learned clipping threshold of activations: J. Choi, Z. Wang, S. Venkataramani, P. I. Chuang,
// V. Srinivasan, K. Gopalakrishnan, PACT: Parameterized Clipping Activation for Quantized Neural Networks,
// arXiv:1805.06085. A value at or above the threshold alpha = (qmax - zero_point) * scale gives its gradient
// to alpha, one between the ends passes it on; the rounding error gives none. The paper's inputs are never
// below 0; here the lower end (qmin - zero_point) * scale, 0 behind a relu, is treated as the upper one.
#pragma once

#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

/// Trains the input's scale, that is its threshold; weights as with ste.
class Pact : public Estimator {
 public:
  LearnedPart learned(Operand operand) const override {
    return operand == Operand::kInput ? LearnedPart::kScale : LearnedPart::kNothing;
  }
  bool is_straight_through(Operand operand) const override { return operand == Operand::kWeight; }
  torch::Tensor quantized(const torch::Tensor& values, const EstimatedGrid& grid) const override;
};

}  // namespace samebits
