#pragma once
#include "kernels/conv/depthwise.h"

namespace samebits::kernels::reference {
void depthwise_sums(const DepthwiseArgs& args, std::int64_t begin, std::int64_t end);
void widen_rows(const WidenRowsArgs& args);
}  // namespace samebits::kernels::reference
