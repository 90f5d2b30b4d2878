#pragma once
#include "kernels/float/normalize.h"

namespace samebits::kernels::reference {
void normalize_rows(const NormalizeArgs& args, std::int64_t begin, std::int64_t end);
void scale_channels(const ScaleChannelsArgs& args, std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
