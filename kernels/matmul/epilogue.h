// From int32 accumulators to float: the second half of linear and conv2d. y = float(acc - correction) * scale
// + bias, each operation rounded, nothing fused (docs/numerics.md §4).
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// Arrays of n terms, one an output channel.
struct ChannelTerms {
  const std::int32_t* correction;  // x zero_point * sum of the channel's weight codes
  const float* scale;              // x scale * weight scale, rounded once
  const float* bias;               // null: no addition at all
};

/// One row of n accumulators, a channel an element: y[c] of accumulators[c].
extern const Kernel<void(const std::int32_t* accumulators, const ChannelTerms& terms, float* y,
                         std::int64_t n)>
    epilogue_row;

/// n accumulators of one channel: y[i] of accumulators[i], with the first entry of each array of terms.
extern const Kernel<void(const std::int32_t* accumulators, const ChannelTerms& terms, float* y,
                         std::int64_t n)>
    epilogue_channel;

/// One group of a grouped row: total[c] = (is_first ? 0 : total[c]) + float(acc - correction) * scale. No
/// bias.
extern const Kernel<void(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first,
                         float* total, std::int64_t n)>
    epilogue_group;

/// Ends a grouped row: y[c] = total[c] * x_scale + bias[c]. y may be total.
extern const Kernel<void(const float* total, float x_scale, const float* bias, float* y, std::int64_t n)>
    epilogue_groups_end;

}  // namespace samebits::kernels
