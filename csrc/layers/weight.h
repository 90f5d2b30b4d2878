// A layer's weight as tensors: on grids that are given, or on those of its own ranges. Codes come from
// quant/encode.h alone: here they are packed for the forward, and made again for backward.
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "csrc/layers/workspace.h"
#include "kernels/matmul/packed_weight.h"
#include "quant/encode.h"

namespace samebits::ops {

/// The grids of a weight [out, …]: scale of 1 element, [out], or [out, groups]; zero_point of the same shape,
/// or none for symmetric grids. Affine weights have at most 7 bits, so that code - zero_point fits int8.
struct WeightGrid {
  at::Tensor scale;
  std::optional<at::Tensor> zero_point;
  int64_t qmin = -127, qmax = 127;
  int64_t group_size = 0;  // linear only; 0: no groups; else a multiple of 4
};

/// What the grid says of its codes, for a weight of more than one element a scale. `bits` is that of the
/// range.
quant::Encoding encoding_of(const WeightGrid& grid, const at::Tensor& weight);

/// Grids of the right shapes for a weight, not filled. zero_point is none when the encoding is symmetric.
WeightGrid empty_weight_grid(const at::Tensor& weight, const quant::Encoding& encoding);

/// Shapes and values of given grids. Throws c10::Error, naming `op`.
void check_weight_grid(const char* op, const WeightGrid& grid, const at::Tensor& weight);

/// The weight packed on its grids, with all threads; with `finds_grids` on the grids of its own ranges, which
/// are written to `grid`. What is not finite is added to `seen`. The weight has at least one element.
struct WeightPacking {
  const at::Tensor& weight;
  const WeightGrid& grid;
  bool finds_grids = false;
};
kernels::PackedWeight pack_weight(const WeightPacking& packing, kernels::WeightOrder order,
                                  quant::NotFinite& seen);

/// The operands of backward, in workspaces until the next call of the same thread: the codes minus their zero
/// points, int8 of the weight's shape, and the mask that is 1 where the weight's gradient stops, undefined
/// where it stops nowhere.
struct RebuiltWeight {
  at::Tensor centered, clip_mask;
};
RebuiltWeight rebuild_weight(const at::Tensor& weight, const WeightGrid& grid);

/// centered * scale for columns [first, first + panel.size(1)) of a weight seen as [out, k], to panel [out,
/// width], float32: (code - zero_point) * scale, rounded once.
void weight_reals(const RebuiltWeight& rebuilt, const WeightGrid& grid, int64_t first,
                  const at::Tensor& panel);

}  // namespace samebits::ops
