#pragma once
#include "kernels/observe.h"

namespace samebits::kernels::reference {
Observation observe_chunk(const float* x, std::int64_t begin, std::int64_t end);
}
