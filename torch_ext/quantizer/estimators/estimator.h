// What a method of training has to say about a layer: how gradients pass its quantizers, what of their grids
// is trained, and which tensor is quantized in the weight's place. The codes of the forward are those of the
// exact quantizer whatever the method.
#pragma once

#include <torch/types.h>

#include <memory>

#include "torch_ext/config/qconfig.h"

namespace samebits {

/// What of a grid is trained.
enum class LearnedPart { kNothing, kScale, kScaleAndZeroPoint };

enum class Operand { kWeight, kInput };

/// The grids of a tensor: one scale, one a channel [out], or one a group [out, groups].
struct EstimatedGrid {
  torch::Tensor scale;       // float32; a function of what is trained
  torch::Tensor zero_point;  // int32, or float32 and trained: rounded and limited to the codes when used
  std::int64_t qmin, qmax;
  std::int64_t group_size = 0;  // 0: no groups
};

class Estimator {
 public:
  virtual ~Estimator() = default;

  virtual LearnedPart learned(Operand) const { return LearnedPart::kNothing; }
  /// Whether a gradient passes where the code is not clipped, and stops elsewhere: what layers do by
  /// themselves, with a bit an element, so that quantized() need not be called.
  virtual bool is_straight_through(Operand) const { return true; }
  /// What is quantized in the place of a weight.
  virtual torch::Tensor transformed(const torch::Tensor& weight) const { return weight; }
  /// The reals of the codes of `values` on `grid`, rounded once, with this method's gradients for the values
  /// and for what is trained. A NaN gets that of its zero point and no gradient: layers look for it
  /// themselves.
  virtual torch::Tensor quantized(const torch::Tensor& values, const EstimatedGrid& grid) const;
};

/// The estimator that the configuration names.
std::unique_ptr<Estimator> make_estimator(const LayerConfig& config);

/// For estimators: `per_grid`, shaped as grid.scale, spread over values of `like`.
torch::Tensor spread(const torch::Tensor& per_grid, const torch::Tensor& like, std::int64_t group_size);
/// The other way round: sums over the elements of each grid, in double, shaped as `scale`.
torch::Tensor gathered(const torch::Tensor& values, const torch::Tensor& scale, std::int64_t group_size);

}  // namespace samebits
