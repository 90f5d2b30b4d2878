#pragma once
#include "kernels/observe/histogram.h"

namespace samebits::kernels::reference {
void count(const void* x, std::int64_t begin, std::int64_t end, Histogram& histogram, FloatType type);
}
