#include "kernels/matmul/linear.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace samebits::kernels {
namespace {

/// Index of the scale of channel `row` in group `group`, for the granularity that scale_count tells.
std::int64_t scale_index(const WeightCodes& weight, std::int64_t groups, std::int64_t row,
                         std::int64_t group) {
  return weight.scale_count == 1 ? 0 : row * groups + group;
}

/// The kernels sum in quads, so that a group starts at a multiple of 4.
void check_group_size(const WeightCodes& weight) {
  if (weight.group_size <= 0 || weight.group_size % 4 == 0) return;
  throw std::invalid_argument("[linear] weight group_size: expected a multiple of 4, got " +
                              std::to_string(weight.group_size) + "; use 32, 64 or 128");
}

void check_scale_count(const WeightCodes& weight, std::int64_t groups) {
  const std::int64_t expected = weight.n * groups;
  if (weight.scale_count == expected || (weight.scale_count == 1 && groups == 1)) return;
  throw std::invalid_argument(
      "[linear] weight scale: expected " + std::to_string(expected) +
      " values (out_features x groups), got " + std::to_string(weight.scale_count) +
      (groups == 1 ? "; 1 for all channels is possible too" : "; a group needs one a channel"));
}

/// Centers the codes of one row into `to`, which may be the row itself, and notes each group's sum and scale.
void prepare_row(const WeightCodes& weight, PreparedWeights& prepared, std::int64_t row, std::int8_t* to) {
  const std::int8_t* codes = weight.codes + (row - weight.first_row) * weight.k;
  for (std::int64_t group = 0; group < prepared.groups(); ++group) {
    const std::int64_t index = scale_index(weight, prepared.groups(), row, group);
    const std::int32_t zero_point = weight.zero_point == nullptr ? 0 : weight.zero_point[index];
    const std::int64_t first = group * prepared.group_size,
                       last = std::min(first + prepared.group_size, weight.k);
    std::int32_t sum = 0;
    for (std::int64_t i = first; i < last; ++i) {
      to[i] = static_cast<std::int8_t>(codes[i] - zero_point);
      sum += to[i];
    }
    prepared.sums[group * weight.n + row] = sum;
    prepared.scale[group * weight.n + row] = weight.scale[index];
  }
}

GemmInt8Args gemm_args(const PreparedWeights& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                       void* output, const FusedRelu& relu) {
  return {.a = x_codes,
          .a_stride = weights.k,
          .b = weights.packed.data(),
          .n = weights.n,
          .k = weights.k,
          .group_size = weights.grouped ? weights.group_size : 0,
          .x_scale = terms.x_scale,
          .output = output,
          .output_stride = weights.n,
          .epilogue = {.terms = {terms.correction.data(), terms.scale.data(), terms.bias},
                       .relu = relu.apply,
                       .relu_mask = relu.mask}};
}

}  // namespace

PreparedWeights allocate_weights(const WeightCodes& weight, WeightLayout layout) {
  check_group_size(weight);
  PreparedWeights prepared{.n = weight.n, .k = weight.k};
  prepared.grouped = weight.group_size > 0;
  prepared.group_size = prepared.grouped ? weight.group_size : weight.k;
  check_scale_count(weight, prepared.groups());
  prepared.sums.resize(prepared.groups() * weight.n);
  prepared.scale.resize(prepared.groups() * weight.n);
  if (layout != WeightLayout::kPacked) prepared.centered.resize(weight.n * weight.k);
  if (layout != WeightLayout::kRows) prepared.packed.resize(packed_size(weight.n, weight.k));
  return prepared;
}

void prepare_weight_rows(const WeightCodes& weight, PreparedWeights& prepared, std::int64_t begin,
                         std::int64_t end) {
  const bool keeps_rows = !prepared.centered.empty();
  std::vector<std::int8_t> block(keeps_rows ? 0 : kColumnBlock * weight.k);
  for (std::int64_t first = begin; first < end; first += kColumnBlock) {
    const std::int64_t last = std::min(first + kColumnBlock, end);
    std::int8_t* centered = keeps_rows ? prepared.centered.data() + first * weight.k : block.data();
    for (std::int64_t row = first; row < last; ++row)
      prepare_row(weight, prepared, row, centered + (row - first) * weight.k);
    if (prepared.packed.empty()) continue;
    pack_gemm_b(centered, last - first, weight.k, prepared.packed.data() + packed_index(first, 0, weight.k),
                0, last - first);
  }
}

PreparedWeights prepare_weights(const WeightCodes& weight, WeightLayout layout) {
  PreparedWeights prepared = allocate_weights(weight, layout);
  prepare_weight_rows(weight, prepared, 0, weight.n);
  return prepared;
}

LayerTerms layer_terms(const PreparedWeights& weights, const AffineGrid& x_grid, const float* bias) {
  LayerTerms terms{.scale = weights.scale, .x_scale = x_grid.scale, .bias = bias};
  terms.correction.resize(weights.sums.size());
  for (std::size_t i = 0; i < weights.sums.size(); ++i)
    terms.correction[i] = x_grid.zero_point * weights.sums[i];
  if (!weights.grouped)
    for (float& scale : terms.scale) scale = x_grid.scale * scale;
  return terms;
}

void linear(const PreparedWeights& weights, const LayerTerms& terms, const std::int8_t* x_codes, float* y,
            const GemmRegion& region, const FusedRelu& relu) {
  gemm_int8(gemm_args(weights, terms, x_codes, y, relu), region);
}

bool linear_codes(const PreparedWeights& weights, const LayerTerms& terms, const std::int8_t* x_codes,
                  const AffineGrid& grid, std::int8_t* codes, const GemmRegion& region,
                  const FusedRelu& relu) {
  GemmInt8Args args = gemm_args(weights, terms, x_codes, codes, relu);
  args.epilogue.output = GemmOutput::kCodes;
  args.epilogue.grid = grid;
  return gemm_int8(args, region);
}

}  // namespace samebits::kernels
