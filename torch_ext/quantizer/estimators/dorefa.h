// The weights of DoReFa-Net: S. Zhou, Y. Wu, Z. Ni, X. Zhou, H. Wen, Y. Zou, DoReFa-Net: Training Low
// Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients, arXiv:1606.06160, section 2.3. What is
// quantized is tanh(w): the paper divides it by its largest magnitude, since its grid ends at 1; here the
// grid ends at that magnitude, which gives the same codes and leaves the layer as large as it was.
#pragma once

#include "csrc/float/functions.h"
#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

/// Grids follow ranges, gradients are straight through; tanh has bits of its own (docs/numerics.md §14).
class Dorefa : public Estimator {
 public:
  torch::Tensor transformed(const torch::Tensor& weight) const override { return ops::tanh(weight); }
};

}  // namespace samebits
