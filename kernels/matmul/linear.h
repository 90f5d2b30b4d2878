// A linear layer on codes, whole: weights and terms made ready for gemm_int8 as the numerics contract says
// (docs/numerics.md §4 and §5). Training and runtime both call this.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/affine.h"
#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {

/// A weight matrix [n][k] as it is stored and exported. `scale` holds 1 value (per tensor), n (per channel)
/// or [n][ceil(k / group_size)] (per group); `zero_point` the same count, or null for a symmetric grid.
struct WeightCodes {
  const std::int8_t* codes;  // [n][k] row-major, in [qmin, qmax]
  const float* scale;
  const std::int32_t* zero_point;
  std::int64_t scale_count;
  std::int64_t n, k;
  std::int64_t group_size;  // 0: no groups; else a multiple of 4
  std::int32_t qmin, qmax;
  std::int64_t first_row = 0;  // of codes, when only some rows are there
};

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

/// Which arrangements of the centered codes a layer reads: linear() the packed one, conv2d() the rows.
enum class WeightLayout { kPacked, kRows, kBoth };

/// Weights centered on their zero points (code - zero_point fits int8: the caller allows 8-bit weights only
/// when symmetric), with the sums and scales of each group.
struct PreparedWeights {
  std::int64_t n = 0, k = 0;
  std::int64_t group_size = 0;  // k when there are no groups
  bool grouped = false;
  AlignedVector<std::int8_t> packed;  // gemm_int8.h; empty when not asked for
  std::vector<std::int8_t> centered;  // [n][k]; empty when not asked for
  std::vector<std::int32_t> sums;     // [groups][n]: sums of centered codes
  std::vector<float> scale;           // [groups][n]

  std::int64_t groups() const { return group_size == 0 ? 0 : (k + group_size - 1) / group_size; }
};

/// Throws std::invalid_argument when scale_count fits no granularity or group_size is no multiple of 4.
PreparedWeights prepare_weights(const WeightCodes& weight, WeightLayout layout = WeightLayout::kPacked);

/// The same in two steps, so that threads can share the second one: the arrays, and then their rows [begin,
/// end). `begin` is a multiple of 16, `end` too or n. `prepared` is the first function's result for the same
/// weight.
PreparedWeights allocate_weights(const WeightCodes& weight, WeightLayout layout = WeightLayout::kPacked);
void prepare_weight_rows(const WeightCodes& weight, PreparedWeights& prepared, std::int64_t begin,
                         std::int64_t end);

/// Terms of one layer call: what epilogue.h needs of weights, input grid and bias.
struct LayerTerms {
  std::vector<std::int32_t> correction;  // [groups][n]
  std::vector<float> scale;              // [groups][n]: x scale folded in, unless grouped
  float x_scale = 1.0f;
  const float* bias = nullptr;  // [n] or null
};
LayerTerms layer_terms(const PreparedWeights& weights, const AffineGrid& x_grid, const float* bias);

/// A relu inside the layer, and the mask of its gradient (GemmEpilogue::relu_mask) if wanted.
struct FusedRelu {
  bool apply = false;
  std::uint8_t* mask = nullptr;
};

/// y[m][n] of x_codes[m][k], for a region (gemm_region() cuts m x n for threads).
void linear(const PreparedWeights& weights, const LayerTerms& terms, const std::int8_t* x_codes, float* y,
            const GemmRegion& region, const FusedRelu& relu = {});

/// The codes of that y on `grid`, without y: the bits of linear() and quantize(). Returns whether a y was
/// NaN.
bool linear_codes(const PreparedWeights& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                  const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region,
                  const FusedRelu& relu = {});

}  // namespace samebits::kernels
