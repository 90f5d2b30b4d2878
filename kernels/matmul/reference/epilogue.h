#pragma once
#include "kernels/matmul/epilogue.h"

namespace samebits::kernels::reference {
/// One row of n accumulators, a channel an element: y[c] of accumulators[c].
void epilogue_row(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);
void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);
/// One group of a grouped row: total[c] = (is_first ? 0 : total[c]) + float(acc - correction) * scale. No
/// bias.
void epilogue_group(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first, float* total,
                    std::int64_t n);
/// Ends a grouped row: y[c] = total[c] * x_scale + bias[c]. y may be total.
void epilogue_groups_end(const float* total, float x_scale, const float* bias, float* y, std::int64_t n);
}  // namespace samebits::kernels::reference
