#pragma once
#include "kernels/float/relu.h"

namespace samebits::kernels::reference {
void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end);
}
