#pragma once
#include "kernels/float/arithmetic.h"

namespace samebits::kernels::reference {
void arithmetic(const ArithmeticArgs& args, std::int64_t begin, std::int64_t end);
}
