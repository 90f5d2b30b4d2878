// torch operators samebits::pack_int4_weight, samebits::linear_int4 and samebits::linear_weight_only: layers
// with 4-bit weights for inference. They have no gradient and say so when one is wanted; train with
// samebits::linear.
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "csrc/common/call.h"

namespace samebits::ops {

/// A weight [out_features, in_features] in the order that kernels/matmul/gemm_int4.h reads: levels (uint8),
/// scale (float32) and zero_levels (uint8; empty: -8..7 codes without zero points), in one dimension each.
struct PackedInt4Weight {
  at::Tensor levels, scale, zero_levels;
  int64_t out_features = 0, group_size = 0;
};

/// `codes` int8 [out, in] of qmin..qmin + 15, qmin -8 or 0. `scale` float32 and `zero_point` (int32, within
/// the codes; none: 0): 1 element, [out], or with group_size, a multiple of 4, [out, groups].
PackedInt4Weight pack_int4_weight(const at::Tensor& codes, const at::Tensor& scale,
                                  const std::optional<at::Tensor>& zero_point = std::nullopt,
                                  int64_t qmin = -8, int64_t group_size = 0);

/// y float32 [..., out] of int8 codes [..., in] on the grid x_scale, x_zero_point (one element each): exact
/// sums, docs/numerics.md §4 and §5. `bias`: float32 [out]. With relu: max(y, 0).
at::Tensor linear_int4(const at::Tensor& x_codes, const at::Tensor& x_scale, const at::Tensor& x_zero_point,
                       const PackedInt4Weight& weight, const std::optional<at::Tensor>& bias = std::nullopt,
                       bool relu = false);

/// y float32 [..., out] of x [..., in], float32, bfloat16 or float16: one order of float32 sums on every
/// machine, docs/numerics.md §11.
at::Tensor linear_weight_only(const at::Tensor& x, const PackedInt4Weight& weight,
                              const std::optional<at::Tensor>& bias = std::nullopt, bool relu = false);

/// The two products as calls. Fields as above.
struct LinearInt4Call {
  static constexpr const char *kOp = "linear_int4", *kName = "samebits::linear_int4", *kOverload = "";
  using Result = at::Tensor;
  at::Tensor x, x_scale, x_zero_point;
  PackedInt4Weight weight;
  std::optional<at::Tensor> bias;
  bool relu = false;
  auto fields() {
    return std::tie(x, x_scale, x_zero_point, weight.levels, weight.scale, weight.zero_levels,
                    weight.out_features, weight.group_size, bias, relu);
  }
};
struct LinearWeightOnlyCall {
  static constexpr const char *kOp = "linear_weight_only", *kName = "samebits::linear_weight_only",
                              *kOverload = "";
  using Result = at::Tensor;
  at::Tensor x;
  PackedInt4Weight weight;
  std::optional<at::Tensor> bias;
  bool relu = false;
  auto fields() {
    return std::tie(x, weight.levels, weight.scale, weight.zero_levels, weight.out_features,
                    weight.group_size, bias, relu);
  }
};

/// y of either product, not written yet, where x is. Throws c10::Error on what shapes and dtypes tell.
at::Tensor empty_output(const LinearInt4Call& call);
at::Tensor empty_output(const LinearWeightOnlyCall& call);

}  // namespace samebits::ops
