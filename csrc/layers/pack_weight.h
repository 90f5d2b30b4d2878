// torch operator samebits::pack_weight: a float weight to its grid and to the order that the kernels read, in
// one pass over memory. Done once for every value of the weight.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <tuple>

#include "kernels/matmul/linear.h"

namespace samebits::ops {

/// The grids of a weight [out, …]: scale of 1 element, [out], or [out, groups]; zero_point of the same shape,
/// or none for symmetric grids. Affine weights have at most 7 bits, so that code - zero_point fits int8.
struct WeightGrid {
  at::Tensor scale;
  std::optional<at::Tensor> zero_point;
  int64_t qmin = -127, qmax = 127;
  int64_t group_size = 0;  // linear only; 0: no groups; else a multiple of 4
};

/// How the grids follow from the weight's own range (kernels/common/affine.h, grid_of_range).
struct WeightScheme {
  int64_t qmin = -127, qmax = 127;
  bool symmetric = true;
  bool per_tensor = false;  // else per output channel, or per group
  int64_t group_size = 0;
};

/// Which product reads it: linear() the blocks of kernels/matmul/gemm_int8.h, conv2d() plain rows.
enum class WeightOrder { kLinear, kConv2d };

/// A weight with its grid and its packed form. `packed` is opaque: an int8 tensor whose storage carries the
/// kernels::PreparedWeights; a copy of it is no packed weight.
struct PackedWeight {
  at::Tensor weight;  // float32, what gradients are for
  WeightGrid grid;
  at::Tensor packed;
};

/// A packed weight, or why there is none: the weight held a NaN or an infinity.
struct WeightPacking {
  PackedWeight weight;
  bool saw_nan = false, saw_infinity = false;
};
WeightPacking pack_weight(const at::Tensor& weight, const WeightScheme& scheme, WeightOrder order);

/// `packed` of a weight on grids that are given. Throws c10::Error, naming `op`, when the weight holds a NaN.
at::Tensor packed_on_grid(const char* op, const at::Tensor& weight, const WeightGrid& grid,
                          WeightOrder order);

/// What `packed` carries. Throws c10::Error, naming `op`, when it carries nothing or belongs to another shape
/// or order.
const kernels::PreparedWeights& prepared_weights(const char* op, const at::Tensor& packed,
                                                 const at::Tensor& weight, const WeightGrid& grid,
                                                 WeightOrder order);

}  // namespace samebits::ops
