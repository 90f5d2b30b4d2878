// The terms of 16 neighbouring columns, padded: vectors can be read whole at the last columns too.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {

struct BlockTerms {
  alignas(64) std::int32_t correction[kColumnBlock] = {};
  alignas(64) float scale[kColumnBlock] = {};
  // -0 where there is none: adding it changes no value, -0 included.
  alignas(64) float bias[kColumnBlock] = {};
};

/// Bias alone, of columns [column, column + count).
inline BlockTerms bias_terms(const GemmInt8Args& args, std::int64_t column, std::int64_t count) {
  BlockTerms terms;
  std::fill_n(terms.bias, kColumnBlock, -0.0f);
  if (args.epilogue.terms.bias != nullptr) std::copy_n(args.epilogue.terms.bias + column, count, terms.bias);
  return terms;
}

/// All terms of these columns in group `group`. Nothing for rows as channels.
inline BlockTerms block_terms(const GemmInt8Args& args, std::int64_t group, std::int64_t column,
                              std::int64_t count) {
  if (args.epilogue.channels_are_rows) return {};
  BlockTerms terms = bias_terms(args, column, count);
  std::copy_n(args.epilogue.terms.correction + group * args.n + column, count, terms.correction);
  std::copy_n(args.epilogue.terms.scale + group * args.n + column, count, terms.scale);
  return terms;
}

/// Channel `row`, for all columns.
inline BlockTerms row_terms(const ChannelTerms& from, std::int64_t row) {
  BlockTerms terms;
  std::fill_n(terms.correction, kColumnBlock, from.correction[row]);
  std::fill_n(terms.scale, kColumnBlock, from.scale[row]);
  std::fill_n(terms.bias, kColumnBlock, from.bias == nullptr ? -0.0f : from.bias[row]);
  return terms;
}

}  // namespace samebits::kernels
