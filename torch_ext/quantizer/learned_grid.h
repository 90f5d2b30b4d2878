// Grids whose scale, and zero point if wanted, are trained: torch parameters of a module of their own, so
// that optimizers, checkpoints and `.to()` find them. A scale is trained as its logarithm: it is positive by
// construction, and a step of an optimizer changes it by a part of itself, whatever its size (S. R. Jain et
// al., Trained Quantization Thresholds, MLSys 2020, section 3.2). A zero point is trained as an offset, a
// part of the range of codes.
#pragma once

#include <torch/nn.h>

#include <vector>

#include "torch_ext/quantizer/estimators/estimator.h"

namespace samebits {

class LearnedGridImpl : public torch::nn::Module {
 public:
  struct Codes {
    std::int64_t qmin, qmax;
    bool symmetric;               // the zero point is 0, whatever is learned
    std::int64_t group_size = 0;  // of a weight in groups
  };
  /// Grids of the shape [1], [out] or [out, groups], of scale 1 until set().
  LearnedGridImpl(std::vector<std::int64_t> shape, const Codes& codes, LearnedPart learned);

  torch::Tensor log_scale;  // parameter, float32
  torch::Tensor offset;     // parameter, float32: (zero point - qmin) / (qmax - qmin); undefined: fixed

  /// Goes on from a grid: scale float32 and zero_point int32 of as many elements.
  void set(const torch::Tensor& scale, const torch::Tensor& zero_point);

  /// The grid with its gradients: scale = exp(log_scale), which is held between e^-80 and e^30.
  EstimatedGrid estimated() const;
  /// The same as integers multiply on it: float32 and int32, no gradients.
  torch::Tensor scale() const;
  torch::Tensor zero_point() const;

  const std::vector<std::int64_t>& shape() const { return shape_; }
  const Codes& codes() const { return codes_; }
  LearnedPart learned() const { return learned_; }

  // Parameters keep their type, whatever a model is converted to: codes are made with float32 scales.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;

 private:
  std::vector<std::int64_t> shape_;
  Codes codes_;
  LearnedPart learned_;
  torch::Tensor fixed_zero_point_;  // buffer "zero_point", int32; undefined where an offset is learned
};
TORCH_MODULE(LearnedGrid);

/// The trained scales and offsets of a model's layers: for a group of an optimizer, without weight decay.
/// They have no gradient while their layer computes in float.
std::vector<torch::Tensor> grid_parameters(const torch::nn::Module& model);

}  // namespace samebits
