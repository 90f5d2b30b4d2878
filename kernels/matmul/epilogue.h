// From int32 accumulators to float: the second half of linear and conv2d. y = float(acc - correction) * scale
// + bias, each operation rounded, nothing fused (docs/numerics.md §4).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/implementation.h"

namespace samebits::kernels {

/// Arrays of n terms, one an output channel.
struct ChannelTerms {
  const std::int32_t* correction;  // x zero_point * sum of the channel's weight codes
  const float* scale;              // x scale * weight scale, rounded once
  const float* bias;               // null: no addition at all
};

/// One row of n accumulators, a channel an element: y[c] of accumulators[c].
void epilogue_row(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);

/// n accumulators of one channel: y[i] of accumulators[i], with the first entry of each array of terms.
void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);

/// One group of a grouped row: total[c] = (is_first ? 0 : total[c]) + float(acc - correction) * scale. No
/// bias.
void epilogue_group(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first, float* total,
                    std::int64_t n);

/// Ends a grouped row: y[c] = total[c] * x_scale + bias[c]. y may be total.
void epilogue_groups_end(const float* total, float x_scale, const float* bias, float* y, std::int64_t n);

std::span<const Implementation<decltype(epilogue_row)>> epilogue_row_implementations();
std::span<const Implementation<decltype(epilogue_channel)>> epilogue_channel_implementations();
std::span<const Implementation<decltype(epilogue_group)>> epilogue_group_implementations();
std::span<const Implementation<decltype(epilogue_groups_end)>> epilogue_groups_end_implementations();

}  // namespace samebits::kernels
