#pragma once
#include "kernels/matmul/pack_bf16.h"

namespace samebits::kernels::reference {
void pack_gradient(const PackGradientArgs& args, std::int64_t begin, std::int64_t end);
void pack_codes(const PackCodesArgs& args, std::int64_t begin, std::int64_t end);

/// The same for columns [first, last) alone, which may be padding; rows up to `end`, which may be padding
/// too.
void pack_gradient_columns(const PackGradientArgs& args, std::int64_t begin, std::int64_t end,
                           std::int64_t first, std::int64_t last);
void pack_codes_columns(const PackCodesArgs& args, std::int64_t begin, std::int64_t end, std::int64_t first,
                        std::int64_t last);
}  // namespace samebits::kernels::reference
