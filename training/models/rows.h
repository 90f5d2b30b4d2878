// Images as sequences: what recurrent networks and transformers make of them.
#pragma once

#include <torch/types.h>

#include "samebits/plugin.h"

namespace samebits::training {

/// Images [n, channels, height, width] as [n, height, channels * width]; sequences [n, length, features] as
/// they are.
inline torch::Tensor rows_of(const torch::Tensor& x) {
  return x.dim() == 4 ? x.permute({0, 2, 1, 3}).flatten(2) : x;
}

/// Length and features of rows_of().
struct RowShape {
  std::int64_t length, features;
};
inline RowShape row_shape(const ModelRequest& request) {
  const std::vector<std::int64_t>& input = request.input;
  return input.size() == 3 ? RowShape{input[1], input[0] * input[2]} : RowShape{input[0], input[1]};
}

}  // namespace samebits::training
