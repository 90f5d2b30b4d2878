#include "kernels/matmul/linear.h"

#include <algorithm>

#include "kernels/matmul/gemm_int4.h"
#include "kernels/quantize/quantize.h"

namespace samebits::kernels {
namespace {

GemmInt8Args gemm_args(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                       void* output, bool relu) {
  return {.a = x_codes,
          .a_stride = weights.k,
          .b = weights.codes.data(),
          .n = weights.n,
          .k = weights.k,
          .group_size = weights.grouped ? weights.group_size : 0,
          .x_scale = terms.x_scale,
          .output = output,
          .output_stride = weights.n,
          .epilogue = {.terms = {terms.correction.data(), terms.scale.data(), terms.bias}, .relu = relu}};
}

GemmInt4Args int4_args(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                       float* y, bool relu) {
  return {.a = x_codes,
          .a_stride = weights.k,
          .a_scale = terms.x_scale,
          .a_zero_point = terms.x_zero_point,
          .b = {.shape = int4_shape(weights),
                .levels = reinterpret_cast<const std::uint8_t*>(weights.codes.data()),
                .scale = weights.scale.data(),
                .zero_level = weights.zero_levels.empty() ? nullptr : weights.zero_levels.data()},
          .output = {.y = y, .stride = weights.n, .bias = terms.bias, .relu = relu}};
}

/// Rows of y that are quantized while they are in cache.
constexpr std::int64_t kRowsAtOnce = 32;

/// linear_codes() of a weight in order kInt4: by y, a few rows at a time.
bool int4_codes(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region, bool relu) {
  thread_local AlignedVector<float> rows;  // grows to the widest layer
  rows.resize(std::max<std::size_t>(rows.size(), kRowsAtOnce * weights.n));
  const std::int64_t width = region.column_end - region.column_begin;
  bool saw_nan = false;
  for (std::int64_t first = region.row_begin; first < region.row_end; first += kRowsAtOnce) {
    const std::int64_t last = std::min(first + kRowsAtOnce, region.row_end);
    gemm_int4(int4_args(weights, terms, x_codes + first * weights.k, rows.data(), relu), 0, last - first,
              region.column_begin, region.column_end);
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t at = region.column_begin;
      saw_nan |= quantize_run({.x = rows.data() + (row - first) * weights.n + at,
                               .codes = codes + row * weights.n + at,
                               .clip_mask = nullptr},
                              grid, 0, width);
    }
  }
  return saw_nan;
}

}  // namespace

LayerTerms layer_terms(const PackedWeight& weights, const AffineGrid& x_grid, const float* bias) {
  LayerTerms terms{.x_scale = x_grid.scale, .x_zero_point = x_grid.zero_point, .bias = bias};
  if (weights.order == WeightOrder::kInt4) return terms;
  terms.scale.assign(weights.scale.begin(), weights.scale.end());
  terms.correction.resize(weights.sums.size());
  for (std::size_t i = 0; i < weights.sums.size(); ++i)
    terms.correction[i] = x_grid.zero_point * weights.sums[i];
  if (!weights.grouped)
    for (float& scale : terms.scale) scale = x_grid.scale * scale;
  return terms;
}

void linear(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes, float* y,
            const GemmRegion& region, bool relu) {
  if (weights.order == WeightOrder::kInt4) {
    gemm_int4(int4_args(weights, terms, x_codes, y, relu), region.row_begin, region.row_end,
              region.column_begin, region.column_end);
    return;
  }
  gemm_int8(gemm_args(weights, terms, x_codes, y, relu), region);
}

bool linear_codes(const PackedWeight& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                  const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region, bool relu) {
  if (weights.order == WeightOrder::kInt4)
    return int4_codes(weights, terms, x_codes, grid, codes, region, relu);
  GemmInt8Args args = gemm_args(weights, terms, x_codes, codes, relu);
  args.epilogue.output = GemmOutput::kCodes;
  args.epilogue.grid = grid;
  return gemm_int8(args, region);
}

}  // namespace samebits::kernels
