#pragma once
#include "kernels/float/reduce.h"

namespace samebits::kernels::reference {
void sum_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end);
void max_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
