// Learned step size: S. K. Esser, J. L. McKinstry, D. Bablani, R. Appuswamy, D. S. Modha, Learned Step Size
// Quantization, ICLR 2020, arXiv:1902.08153. The scale's gradient is rint(v) - v where v = x / scale is not
// clipped, elsewhere the end that it is clipped to, divided by sqrt(elements * qmax): kernels/quantize/lsq.h.
#pragma once

#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

/// Trains the scales of weight and input; zero points stay as they were observed.
class Lsq : public Estimator {
 public:
  LearnedPart learned(Operand) const override { return LearnedPart::kScale; }
  bool is_straight_through(Operand) const override { return false; }
  torch::Tensor quantized(const torch::Tensor& values, const EstimatedGrid& grid) const override;
};

}  // namespace samebits
