// A text as sequences whose next byte is to be told.
#pragma once

#include <torch/types.h>

#include <string_view>

#include "training/data/examples.h"

namespace samebits::training {

/// Sequences one behind another. Batches: x int64 [n, sequence], bytes; target the same one byte later. What
/// is left at the end is not used.
class TextSet : public Examples {
 public:
  /// `text` has more than `sequence` bytes.
  TextSet(std::string_view text, std::int64_t sequence);

  std::int64_t size() const override { return (bytes_.size(0) - 1) / sequence_; }
  Batch batch(const torch::Tensor& indices) const override;

 private:
  torch::Tensor bytes_;  // uint8
  std::int64_t sequence_;
};

}  // namespace samebits::training
