// A linear layer on codes, whole: a packed weight and the terms of a call, multiplied as the numerics
// contract says (docs/numerics.md §4 and §5). Training and runtime both call this.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/affine.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/packed_weight.h"

namespace samebits::kernels {

/// The largest |code - zero_point| that these ranges allow: what a product may weigh.
constexpr std::int32_t max_weight_magnitude(std::int32_t qmin, std::int32_t qmax, bool symmetric) {
  return symmetric ? (-qmin > qmax ? -qmin : qmax) : qmax - qmin;
}

/// The largest k for which no int32 sum can overflow, whatever the codes (docs/numerics.md §4).
constexpr std::int64_t max_depth(std::int32_t x_qmin, std::int32_t x_qmax, std::int32_t weight_magnitude) {
  std::int64_t x_magnitude = std::int64_t{x_qmax} - x_qmin;
  if (-std::int64_t{x_qmin} > x_magnitude) x_magnitude = -std::int64_t{x_qmin};
  if (x_qmax > x_magnitude) x_magnitude = x_qmax;
  return INT32_MAX / (x_magnitude * weight_magnitude);
}

/// Terms of one layer call: what epilogue.h needs of weights, input grid and bias. For a weight in order
/// kInt4, whose product makes its own terms: those of the input, and scales where channels have a factor.
struct LayerTerms {
  std::vector<std::int32_t> correction;  // [groups][n]
  std::vector<float> scale;              // [groups][n]: sum_scale(); kInt4: in its order, or empty
  float x_scale = 1.0f;
  std::int32_t x_zero_point = 0;
  const float* bias = nullptr;  // [n] or null
};
/// channel_scale: [n] factors of the sums (docs/numerics.md §13), or null.
LayerTerms layer_terms(const PackedWeight& weights, const AffineGrid& x_grid, const float* bias,
                       const float* channel_scale = nullptr);

/// y[m][n] of x_codes[m][k], for a region (gemm_region() cuts m x n for threads); with `relu` max(y, 0).
void linear(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes, float* y,
            const GemmRegion& region, bool relu = false);

/// The codes of that y on `grid`, without y: the bits of linear() and quantize(). Returns whether a y was
/// NaN.
bool linear_codes(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                  const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region, bool relu = false);

}  // namespace samebits::kernels
