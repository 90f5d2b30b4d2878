// Examples of one shape in memory, normalized when they are taken.
#pragma once

#include <torch/types.h>

#include "training/data/examples.h"
#include "training/readers/arrays.h"

namespace samebits::training {

/// What a value is normalized by, a float32 tensor each that fits the shape of an example: [channels, 1, 1]
/// for images, [features] otherwise.
struct Normalization {
  torch::Tensor mean, deviation;
};

/// Batches: x float32 [n, …], (x - mean) / deviation, where bytes are divided by 255 first, or int64 tokens;
/// target int64 [n] of classes or float32 [n, outputs].
class TensorSet : public Examples {
 public:
  explicit TensorSet(const Arrays& arrays);
  /// x uint8, float32 or int64 [n, …], target as above.
  TensorSet(torch::Tensor x, torch::Tensor target) : x_(std::move(x)), target_(std::move(target)) {}

  std::int64_t size() const override { return x_.size(0); }
  Batch batch(const torch::Tensor& indices) const override;

  /// Mean and deviation of each channel, or feature; a deviation of 0 counts as 1. Does not depend on
  /// threads.
  Normalization measured_normalization() const;
  void normalize_by(const Normalization& normalization) { normalization_ = normalization; }
  /// What 0 becomes, of which images have a margin.
  torch::Tensor background() const { return (0.0f - normalization_.mean) / normalization_.deviation; }

 private:
  torch::Tensor x_, target_;
  Normalization normalization_ = {torch::zeros({1}), torch::ones({1})};
};

}  // namespace samebits::training
