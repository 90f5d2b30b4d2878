#include "kernels/linear.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/epilogue.h"
#include "kernels/gemm_int8.h"

namespace samebits::kernels {
namespace {

constexpr std::int64_t kRowBlock = 48;  // rows whose accumulators stay in cache between gemm and epilogue

/// Index of the scale of channel `row` in group `group`, for the granularity that scale_count tells.
std::int64_t scale_index(const WeightCodes& weight, std::int64_t groups, std::int64_t row,
                         std::int64_t group) {
  return weight.scale_count == 1 ? 0 : row * groups + group;
}

/// The kernels sum in pairs, so that a group starts at an even column.
void check_group_size(const WeightCodes& weight) {
  if (weight.group_size <= 0 || weight.group_size % 2 == 0) return;
  throw std::invalid_argument("[linear] weight group_size: expected an even number, got " +
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

ChannelTerms group_terms(const PreparedWeights& weights, const LayerTerms& terms, std::int64_t group) {
  return {terms.correction.data() + group * weights.n, terms.scale.data() + group * weights.n, terms.bias};
}

void grouped_rows(const PreparedWeights& weights, const LayerTerms& terms, GemmInt8Args args, float* y,
                  std::int64_t rows) {
  const std::int64_t columns = padded_columns(weights.n);
  for (std::int64_t group = 0; group < weights.groups(); ++group) {
    args.k_begin = group * weights.group_size;
    args.k_end = std::min(args.k_begin + weights.group_size, weights.k);
    gemm_int8(args, 0, rows);
    for (std::int64_t row = 0; row < rows; ++row)
      epilogue_group(args.accumulators + row * columns, group_terms(weights, terms, group), group == 0,
                     y + row * weights.n, weights.n);
  }
  for (std::int64_t row = 0; row < rows; ++row)
    epilogue_groups_end(y + row * weights.n, terms.x_scale, terms.bias, y + row * weights.n, weights.n);
}

}  // namespace

PreparedWeights prepare_weights(const WeightCodes& weight, bool pack) {
  check_group_size(weight);
  PreparedWeights prepared{.n = weight.n, .k = weight.k};
  prepared.grouped = weight.group_size > 0;
  prepared.group_size = prepared.grouped ? weight.group_size : weight.k;
  const std::int64_t groups = prepared.groups();
  check_scale_count(weight, groups);
  prepared.centered.resize(weight.n * weight.k);
  prepared.sums.assign(groups * weight.n, 0);
  prepared.scale.resize(groups * weight.n);
  for (std::int64_t row = 0; row < weight.n; ++row) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t index = scale_index(weight, groups, row, group);
      const std::int32_t zero_point = weight.zero_point == nullptr ? 0 : weight.zero_point[index];
      std::int32_t sum = 0;
      const std::int64_t last = std::min((group + 1) * prepared.group_size, weight.k);
      for (std::int64_t i = row * weight.k + group * prepared.group_size; i < row * weight.k + last; ++i) {
        prepared.centered[i] = static_cast<std::int8_t>(weight.codes[i] - zero_point);
        sum += prepared.centered[i];
      }
      prepared.sums[group * weight.n + row] = sum;
      prepared.scale[group * weight.n + row] = weight.scale[index];
    }
  }
  if (!pack) return prepared;
  prepared.packed.resize(packed_size(weight.n, weight.k));
  pack_gemm_b(prepared.centered.data(), weight.n, weight.k, prepared.packed.data());
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
            std::int64_t begin, std::int64_t end) {
  const std::int64_t columns = padded_columns(weights.n);
  std::vector<std::int32_t> accumulators(std::min(kRowBlock, end - begin) * columns);
  for (std::int64_t row = begin; row < end; row += kRowBlock) {
    const std::int64_t rows = std::min(kRowBlock, end - row);
    const GemmInt8Args args{.a = x_codes + row * weights.k,
                            .a_stride = weights.k,
                            .b = weights.packed.data(),
                            .accumulators = accumulators.data(),
                            .n = weights.n,
                            .k = weights.k,
                            .k_begin = 0,
                            .k_end = weights.k};
    float* y_rows = y + row * weights.n;
    if (weights.grouped) {
      grouped_rows(weights, terms, args, y_rows, rows);
      continue;
    }
    gemm_int8(args, 0, rows);
    for (std::int64_t r = 0; r < rows; ++r)
      epilogue_row(accumulators.data() + r * columns, group_terms(weights, terms, 0), y_rows + r * weights.n,
                   weights.n);
  }
}

}  // namespace samebits::kernels
