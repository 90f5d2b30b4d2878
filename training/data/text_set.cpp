#include "training/data/text_set.h"

#include <torch/torch.h>

namespace samebits::training {

TextSet::TextSet(std::string_view text, std::int64_t sequence)
    : bytes_(torch::from_blob(const_cast<char*>(text.data()), {static_cast<std::int64_t>(text.size())},
                              torch::kByte)
                 .clone()),
      sequence_(sequence) {}

Batch TextSet::batch(const torch::Tensor& indices) const {
  const torch::Tensor places =
      indices.mul(sequence_).unsqueeze(1) + torch::arange(sequence_, torch::kLong).unsqueeze(0);
  const auto taken = [&](const torch::Tensor& at) {
    return bytes_.index_select(0, at.flatten()).to(torch::kLong).reshape(at.sizes());
  };
  return {taken(places), taken(places + 1)};
}

}  // namespace samebits::training
