// samebits::max_pool2d: torch::max_pool2d that keeps 1 byte an output element for backward instead of its
// float input and 8 bytes of index.
#pragma once

#include <torch/types.h>

#include "csrc/layers/max_pool2d.h"

namespace samebits {

/// The same values and gradients as torch::max_pool2d without dilation and ceil_mode; x float32 [n, channels,
/// height, width]. The window holds at most 255 elements; stride 0 means the kernel's size.
inline torch::Tensor max_pool2d(const torch::Tensor& x, torch::ExpandingArray<2> kernel,
                                torch::ExpandingArray<2> stride = 0, torch::ExpandingArray<2> padding = 0) {
  const at::IntArrayRef step = stride->at(0) == 0 ? at::IntArrayRef(*kernel) : at::IntArrayRef(*stride);
  return std::get<0>(ops::max_pool2d(x, *kernel, step, *padding));
}

}  // namespace samebits
