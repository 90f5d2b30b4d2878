// What the gradients of linear and conv2d share on CUDA (docs/numerics.md §6): the operands of their
// products, and the masks. Nothing looks at a value.
#pragma once

#include "csrc/common/cuda/launch.h"
#include "csrc/layers/layer.h"
#include "kernels/common/bf16.h"

namespace samebits::ops {

inline kernels::Bf16* bf16_data(const at::Tensor& tensor) {
  return static_cast<kernels::Bf16*>(tensor.mutable_data_ptr());
}

/// grad, +0 where a mask of rows of ceil(row length / 8) bytes is 1; in place, if grad is contiguous.
at::Tensor cleared(const char* op, const at::Tensor& grad, int64_t rows, const at::Tensor& clip_mask);

/// The weight as a factor of grad_x, of its own shape, and where its own gradient stops.
struct WeightOperand {
  at::Tensor factor, clip_mask;
  int64_t mask_rows;
};
/// On its grids, in float32, times the channels' factors.
WeightOperand real_weight_to_x(const SavedLayer& saved);
/// Codes minus zero points in bfloat16, exact; with groups the real weight to x, rounded.
WeightOperand bf16_weight(const char* op, const SavedLayer& saved);

/// The weight's gradient of what grad_y as it is gave, and with a channel scale that one's (layer.h's
/// finish_scaled_weight).
void finish_weight(const char* op, const SavedLayer& saved, const WantedGradients& wanted,
                   const WeightOperand& weight, const at::Tensor& grad, LayerGradients& out);

}  // namespace samebits::ops
