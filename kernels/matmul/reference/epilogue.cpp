// The contract of kernels/matmul/epilogue.h as plain loops.
#include "kernels/matmul/reference/epilogue.h"

namespace samebits::kernels::reference {
namespace {

/// The difference fits int32 by the bound on the depth (docs/numerics.md §4).
float scaled(std::int32_t accumulator, std::int32_t correction, float scale) {
  return static_cast<float>(accumulator - correction) * scale;
}

}  // namespace

void epilogue_row(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) {
    y[c] = scaled(accumulators[c], terms.correction[c], terms.scale[c]);
    if (terms.bias != nullptr) y[c] += terms.bias[c];
  }
}

void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = scaled(accumulators[i], terms.correction[0], terms.scale[0]);
    if (terms.bias != nullptr) y[i] += terms.bias[0];
  }
}

void epilogue_group(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first, float* total,
                    std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) {
    const float term = scaled(accumulators[c], terms.correction[c], terms.scale[c]);
    total[c] = (is_first ? 0.0f : total[c]) + term;
  }
}

void epilogue_groups_end(const float* total, float x_scale, const float* bias, float* y, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) {
    y[c] = total[c] * x_scale;
    if (bias != nullptr) y[c] += bias[c];
  }
}

}  // namespace samebits::kernels::reference
