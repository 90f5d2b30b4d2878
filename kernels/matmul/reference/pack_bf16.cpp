// The contract of kernels/matmul/pack_bf16.h as plain loops.
#include "kernels/matmul/reference/pack_bf16.h"

#include <algorithm>

#include "kernels/matmul/gemm_bf16.h"
#include "kernels/quantize/reference/column_sums.h"

namespace samebits::kernels::reference {
namespace {

Bf16 packed_code(const PackCodesArgs& args, std::int64_t row, std::int64_t column) {
  if (row >= args.depth || column >= args.columns) return 0;
  const float code = static_cast<float>(args.codes[row * args.columns + column] - args.zero_point);
  if (args.scale == nullptr) return to_bf16(code);
  return to_bf16(code * args.scale[column / args.group_size * args.depth + row]);
}

}  // namespace

void pack_gradient_columns(const PackGradientArgs& args, std::int64_t begin, std::int64_t end,
                           std::int64_t first, std::int64_t last) {
  if (args.block_sums != nullptr)
    sum_some_columns({args.g, args.m, args.n, args.block_sums}, begin, std::min(end, args.m), first,
                     std::min(last, args.n));
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t column = first; column < last; ++column) {
      const bool is_padding = row >= args.m || column >= args.n;
      const float g = is_padding ? 0.0f : args.g[row * args.n + column];
      const float scale =
          args.scale == nullptr || is_padding ? 1.0f : args.scale[args.scale_count == 1 ? 0 : column];
      if (args.for_grad_x != nullptr)
        args.for_grad_x[packed_bf16_a_index(row, column, args.n)] = to_bf16(g * scale);
      if (args.for_grad_weight != nullptr)
        args.for_grad_weight[packed_bf16_a_index(column, row, args.m)] = to_bf16(g);
    }
  }
}

void pack_gradient(const PackGradientArgs& args, std::int64_t begin, std::int64_t end) {
  pack_gradient_columns(args, begin, padded_bf16(end), 0, padded_bf16(args.n));
}

void pack_codes_columns(const PackCodesArgs& args, std::int64_t begin, std::int64_t end, std::int64_t first,
                        std::int64_t last) {
  for (std::int64_t row = begin; row < end; ++row)
    for (std::int64_t column = first; column < last; ++column)
      args.packed[packed_bf16_b_index(row, column, args.depth)] = packed_code(args, row, column);
}

void pack_codes(const PackCodesArgs& args, std::int64_t begin, std::int64_t end) {
  pack_codes_columns(args, begin, padded_bf16(end), 0, padded_bf16(args.columns));
}

}  // namespace samebits::kernels::reference
