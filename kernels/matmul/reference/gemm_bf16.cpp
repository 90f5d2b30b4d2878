// The contract of kernels/matmul/gemm_bf16.h as plain loops.
#include "kernels/matmul/reference/gemm_bf16.h"

#include <algorithm>

namespace samebits::kernels {

GemmRegion gemm_bf16_region(std::int64_t rows, std::int64_t columns, std::int64_t part, std::int64_t parts) {
  const std::int64_t longer = std::max(rows, columns), blocks = padded_bf16(longer) / kBf16Block;
  const std::int64_t begin = std::min(longer, blocks * part / parts * kBf16Block);
  const std::int64_t end = std::min(longer, blocks * (part + 1) / parts * kBf16Block);
  if (rows >= columns) return {begin, end, 0, columns};
  return {0, rows, begin, end};
}

namespace reference {

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region) {
  for (std::int64_t row = region.row_begin; row < region.row_end; ++row) {
    for (std::int64_t column = region.column_begin; column < region.column_end; ++column) {
      float sum = 0.0f;
      for (std::int64_t d = 0; d < args.depth; ++d)
        sum += from_bf16(args.a[packed_bf16_a_index(row, d, args.depth)]) *
               from_bf16(args.b[packed_bf16_b_index(d, column, args.depth)]);
      finish_element(args, row, column, sum);
    }
  }
}

}  // namespace reference
}  // namespace samebits::kernels
