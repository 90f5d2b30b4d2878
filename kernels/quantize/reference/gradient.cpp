// The contract of kernels/quantize/gradient.h as plain loops.
#include "kernels/quantize/reference/gradient.h"

namespace samebits::kernels::reference {

float masked_gradient(const float* g, const std::uint8_t* relu_mask, std::int64_t n, std::int64_t row,
                      std::int64_t column) {
  const bool masked =
      relu_mask != nullptr && (relu_mask[row * ((n + 7) / 8) + column / 8] >> (column % 8) & 1) != 0;
  return masked ? 0.0f : g[row * n + column];
}

void mask_and_sum_columns(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end,
                          std::int64_t first, std::int64_t last) {
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t column = first; column < last; ++column) {
      const float value = masked_gradient(args.g, args.relu_mask, args.n, row, column);
      if (args.masked != nullptr) args.masked[row * args.n + column] = value;
      if (args.block_sums == nullptr) continue;
      float& sum = args.block_sums[row / kSumRows * args.n + column];
      sum = (row % kSumRows == 0 ? 0.0f : sum) + value;
    }
  }
}

void mask_and_sum(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end) {
  mask_and_sum_columns(args, begin, end, 0, args.n);
}

}  // namespace samebits::kernels::reference
