// The outermost values of many batches, so that a percentile near an end is a value that was seen. A
// histogram cannot tell it when one outlier has stretched its bins beyond the data.
#pragma once

#include <torch/types.h>

#include <optional>

#include "kernels/observe/histogram.h"

namespace samebits {

class Tails {
 public:
  /// Of each end so many values are kept.
  static constexpr std::int64_t kMost = std::int64_t{1} << 16;

  /// `values`: float32 on the CPU, any shape.
  void add(const torch::Tensor& values);

  /// The range of `total` values without the part 1 - p at either end, p in [0.5, 1]; none when that is more
  /// than was kept.
  std::optional<kernels::HistogramRange> range(double p, std::int64_t total) const;

 private:
  torch::Tensor lowest_, highest_;  // sorted, outermost first
};

/// Whether a histogram tells a range to a 256th of its width: finer than 8-bit codes.
bool tells(const kernels::Histogram& histogram, const kernels::HistogramRange& range);

}  // namespace samebits
