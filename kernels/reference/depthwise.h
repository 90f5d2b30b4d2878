#pragma once
#include "kernels/depthwise.h"

namespace samebits::kernels::reference {
void depthwise_sums(const DepthwiseArgs& args, std::int64_t begin, std::int64_t end);
void widen_codes(const std::int8_t* codes, std::int64_t n, std::int16_t* to);
}  // namespace samebits::kernels::reference
