// From int32 accumulators to float: the second half of linear and conv2d. y = float(acc - correction) * scale
// + bias, each operation rounded, nothing fused (docs/numerics.md §4). gemm_int8 does it in registers; what
// sums elsewhere calls the kernel.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The factor of a sum, each product rounded: x scale * weight scale, or of a group its weight scale alone
/// (x_scale 1); times the layer's channel scale, 1 where it has none (docs/numerics.md §13).
SAMEBITS_HOST_DEVICE inline float sum_scale(float x_scale, float weight_scale, float channel_scale) {
  return x_scale * weight_scale * channel_scale;
}

/// Arrays of n terms, one an output channel.
struct ChannelTerms {
  const std::int32_t* correction;  // x zero_point * sum of the channel's weight codes
  const float* scale;              // sum_scale()
  const float* bias;               // null: no addition at all
};

/// n accumulators of one channel: y[i] of accumulators[i], with the first entry of each array of terms.
extern const Kernel<void(const std::int32_t* accumulators, const ChannelTerms& terms, float* y,
                         std::int64_t n)>
    epilogue_channel;

}  // namespace samebits::kernels
