#pragma once
#include "kernels/quantize/gradient.h"

namespace samebits::kernels::reference {
void mask_and_sum(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end);
/// The same for columns [first, last) alone.
void mask_and_sum_columns(const MaskAndSumArgs& args, std::int64_t begin, std::int64_t end,
                          std::int64_t first, std::int64_t last);
/// g[row][column], 0 where the mask is set.
float masked_gradient(const float* g, const std::uint8_t* relu_mask, std::int64_t n, std::int64_t row,
                      std::int64_t column);
}  // namespace samebits::kernels::reference
