#pragma once
#include "kernels/matmul/epilogue.h"

namespace samebits::kernels::reference {
void epilogue_row(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);
void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n);
void epilogue_group(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first, float* total,
                    std::int64_t n);
void epilogue_groups_end(const float* total, float x_scale, const float* bias, float* y, std::int64_t n);
}  // namespace samebits::kernels::reference
