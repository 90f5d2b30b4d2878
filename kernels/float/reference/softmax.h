#pragma once
#include "kernels/float/softmax.h"

namespace samebits::kernels::reference {
void softmax(const SoftmaxArgs& args, std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
