#pragma once
#include "kernels/observe/min_max.h"

namespace samebits::kernels::reference {
MinMax min_max(const float* x, std::int64_t begin, std::int64_t end);
}
