// torch operator samebits::linear: y = x @ weightᵀ + bias on integers; and its gradients.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <vector>

#include "csrc/layers/layer.h"

namespace samebits::ops {

/// x float32 [..., in], weight float32 [out, in], bias float32 [out] or none; y float32 [..., out]. x and
/// weight are quantized on their grids, multiplied as int8 with int32 sums and brought back by the contract's
/// epilogue (docs/numerics.md §4 and §5). Straight-through gradients for x, weight and bias, in the
/// arithmetic that options.backward names. Backward keeps x's codes and one bit an element of x; the weight
/// is quantized anew.
struct LinearCall : LayerCall {
  static constexpr const char *kOp = "linear", *kName = "samebits::linear", *kOverload = "";
  static constexpr bool kFindsWeightGrid = false;
  using Result = LayerOutput;
  auto fields() {
    return std::tie(x, weight, bias, x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax,
                    weight_grid.scale, weight_grid.zero_point, weight_grid.qmin, weight_grid.qmax,
                    weight_grid.group_size, options.relu_input, options.observe, options.backward,
                    channel_scale);
  }
};

/// The same on the grids of the weight's own ranges, found while it is packed.
struct EncodedLinearCall : LayerCall {
  static constexpr const char *kOp = "linear", *kName = "samebits::linear", *kOverload = "encoded";
  static constexpr bool kFindsWeightGrid = true;
  using Result = EncodedLayerOutput;
  auto fields() {
    return std::tie(x, weight, bias, x_grid.scale, x_grid.zero_point, x_grid.qmin, x_grid.qmax, encoding.qmin,
                    encoding.qmax, encoding.symmetric, encoding.granularity, encoding.group_size,
                    options.relu_input, options.observe, options.backward, channel_scale);
  }
};

/// A LinearCall through the dispatcher.
LayerOutput linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options = {});

/// Checks everything that the shapes of a call tell, and gives y's shape; the batch may be symbolic.
std::vector<c10::SymInt> linear_output_sizes(const LayerCall& call);

/// The gradients as an operator of its own: a tracer whose tensors have no memory meets the shapes of its
/// Meta kernel instead of arithmetic.
struct LinearBackwardCall {
  static constexpr const char *kOp = "linear_backward", *kName = "samebits::linear_backward", *kOverload = "";
  using Result = LayerGradients;
  at::Tensor grad_y;
  SavedLayer saved;
  WantedGradients wanted = {true, true, true, true};

  auto saved_fields() {
    return std::tie(saved.x_codes, saved.clip_mask, saved.x_grid.scale, saved.x_grid.zero_point,
                    saved.x_grid.qmin, saved.x_grid.qmax, saved.weight, saved.weight_grid.scale,
                    saved.weight_grid.zero_point, saved.weight_grid.qmin, saved.weight_grid.qmax,
                    saved.weight_grid.group_size, saved.backward, saved.channel_scale);
  }
  auto fields() { return std::tuple_cat(std::tie(grad_y), saved_fields(), std::tie(wanted)); }
};
void check_linear_backward(const LinearBackwardCall& call);

}  // namespace samebits::ops
