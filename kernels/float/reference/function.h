#pragma once
#include "kernels/float/function.h"
#include "kernels/float/scalar_ops.h"

namespace samebits::kernels::reference {
#include "kernels/float/formulas-inl.h"

void apply_function(const FunctionArgs& args, std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
