// torch operator samebits::linear: y = x @ weightᵀ + bias on integers.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <vector>

#include "csrc/layers/layer.h"

namespace samebits::ops {

/// x float32 [..., in], weight float32 [out, in], bias float32 [out] or none; y float32 [..., out]. x and
/// weight are quantized on their grids, multiplied as int8 with int32 sums and brought back by the contract's
/// epilogue (docs/numerics.md §4 and §5). Straight-through gradients for x, weight and bias, in the
/// arithmetic that options.backward names. Backward keeps x's codes and one bit an element of x; the weight
/// is quantized anew.
LayerOutput linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                   const ActivationGrid& x_grid, const WeightGrid& weight_grid,
                   const LayerOptions& options = {});

/// The same on a weight that was packed before.
LayerOutput linear(const at::Tensor& x, const std::optional<at::Tensor>& bias, const ActivationGrid& x_grid,
                   const PackedWeight& weight, const LayerOptions& options = {});

/// Checks everything that the shapes of a call tell, and gives y's shape.
std::vector<int64_t> linear_output_sizes(const LayerArguments& arguments);

}  // namespace samebits::ops
