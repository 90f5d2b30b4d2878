// The contract of kernels/matmul/gemm_int8.h as plain loops.
#include "kernels/matmul/reference/gemm_int8.h"

#include <algorithm>

#include "kernels/matmul/reference/epilogue.h"

namespace samebits::kernels::reference {
namespace {

/// The sum over k of [k_begin, k_end).
std::int32_t sum_of_products(const GemmInt8Args& args, std::int64_t row, std::int64_t column,
                             std::int64_t k_begin, std::int64_t k_end) {
  std::int32_t sum = 0;
  for (std::int64_t k = k_begin; k < k_end; ++k)
    sum += args.a[row * args.a_stride + k] * args.b[packed_index(column, k, args.k)];
  return sum;
}

/// The terms of channel c in group `group`.
ChannelTerms terms_at(const GemmInt8Args& args, std::int64_t group, std::int64_t c) {
  const ChannelTerms& terms = args.epilogue.terms;
  const std::int64_t i = group * args.n + c;
  return {terms.correction + i, terms.scale + i, terms.bias == nullptr ? nullptr : terms.bias + c};
}

/// The layer's output before the relu.
float value_at(const GemmInt8Args& args, std::int64_t row, std::int64_t column) {
  float y = 0.0f;
  if (args.group_size == 0) {
    const std::int32_t sum = sum_of_products(args, row, column, 0, args.k);
    reference::epilogue_row(&sum, terms_at(args, 0, args.epilogue.channels_are_rows ? row : column), &y, 1);
    return y;
  }
  for (std::int64_t group = 0; group * args.group_size < args.k; ++group) {
    const std::int64_t k_begin = group * args.group_size, k_end = std::min(k_begin + args.group_size, args.k);
    const std::int32_t sum = sum_of_products(args, row, column, k_begin, k_end);
    reference::epilogue_group(&sum, terms_at(args, group, column), group == 0, &y, 1);
  }
  reference::epilogue_groups_end(&y, args.x_scale, terms_at(args, 0, column).bias, &y, 1);
  return y;
}

}  // namespace

bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region) {
  const GemmEpilogue& epilogue = args.epilogue;
  bool saw_nan = false;
  for (std::int64_t row = region.row_begin; row < region.row_end; ++row) {
    for (std::int64_t column = region.column_begin; column < region.column_end; ++column) {
      const std::int64_t to = row * args.output_stride + column;
      float y = value_at(args, row, column);
      if (epilogue.relu && y < 0.0f) y = 0.0f;
      if (epilogue.output == GemmOutput::kFloat) {
        static_cast<float*>(args.output)[to] = y;
        continue;
      }
      static_cast<std::int8_t*>(args.output)[to] =
          static_cast<std::int8_t>(code_at(grid_position(y, epilogue.grid), epilogue.grid));
      saw_nan = saw_nan || isnan(y);
    }
  }
  return saw_nan;
}

}  // namespace samebits::kernels::reference
