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
          .b_sums = weights.sums.data(),
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
                .scale = terms.scale.empty() ? weights.scale.data() : terms.scale.data(),
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

/// Scales with the channels' factors, in the order of the weight's; without groups the product's own x scale
/// becomes 1, which changes no bit.
void scale_int4_channels(const PackedWeight& weights, const float* channel_scale, LayerTerms& terms) {
  const Int4Shape shape = int4_shape(weights);
  const float x_scale = weights.grouped ? 1.0f : terms.x_scale;
  if (!weights.grouped) terms.x_scale = 1.0f;
  terms.scale.resize(weights.scale.size());
  for (std::int64_t row = 0; row < weights.n; ++row) {
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      const std::int64_t i = shape.term_offset(row / Int4Shape::kColumns, group) + row % Int4Shape::kColumns;
      terms.scale[i] = sum_scale(x_scale, weights.scale[i], channel_scale[row]);
    }
  }
}

}  // namespace

LayerTerms layer_terms(const PackedWeight& weights, const AffineGrid& x_grid, const float* bias,
                       const float* channel_scale) {
  LayerTerms terms{.x_scale = x_grid.scale, .x_zero_point = x_grid.zero_point, .bias = bias};
  if (weights.order == WeightOrder::kInt4) {
    if (channel_scale != nullptr) scale_int4_channels(weights, channel_scale, terms);
    return terms;
  }
  const float x_scale = weights.grouped ? 1.0f : x_grid.scale;
  for (std::size_t i = 0; i < weights.sums.size(); ++i) {
    const float factor =
        channel_scale == nullptr ? 1.0f : channel_scale[static_cast<std::int64_t>(i) % weights.n];
    terms.correction.push_back(x_grid.zero_point * weights.sums[i]);
    terms.scale.push_back(sum_scale(x_scale, weights.scale[i], factor));
  }
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
