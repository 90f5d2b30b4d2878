#include "training/data/examples.h"

#include <torch/torch.h>

#include <algorithm>

namespace samebits::training {

Batch Examples::range(std::int64_t begin, std::int64_t end) const {
  return batch(torch::arange(begin, std::min(end, size()), torch::kLong));
}

}  // namespace samebits::training
