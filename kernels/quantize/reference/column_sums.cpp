// The contract of kernels/quantize/column_sums.h as plain loops.
#include "kernels/quantize/reference/column_sums.h"

namespace samebits::kernels::reference {

void sum_some_columns(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end, std::int64_t first,
                      std::int64_t last) {
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t column = first; column < last; ++column) {
      float& sum = args.block_sums[row / kSumRows * args.n + column];
      sum = (row % kSumRows == 0 ? 0.0f : sum) + args.g[row * args.n + column];
    }
  }
}

void sum_columns(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end) {
  sum_some_columns(args, begin, end, 0, args.n);
}

}  // namespace samebits::kernels::reference
