// Examples in memory, in a fixed order.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace samebits::training {

/// Examples of one step: what the model takes, and what it should give. Both have as many rows.
struct Batch {
  torch::Tensor x, target;
};

class Examples {
 public:
  virtual ~Examples() = default;
  virtual std::int64_t size() const = 0;
  /// The examples at `indices`, int64 [n].
  virtual Batch batch(const torch::Tensor& indices) const = 0;
  /// Examples [begin, end), cut at size().
  Batch range(std::int64_t begin, std::int64_t end) const;
};

}  // namespace samebits::training
