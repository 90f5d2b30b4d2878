#pragma once
#include "kernels/quantize/column_sums.h"

namespace samebits::kernels::reference {
void sum_columns(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end);
/// The same for columns [first, last) alone.
void sum_some_columns(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end, std::int64_t first,
                      std::int64_t last);
}  // namespace samebits::kernels::reference
