#pragma once
#include "kernels/gemm_int8.h"

namespace samebits::kernels::reference {
void gemm_int8(const GemmInt8Args& args, std::int64_t begin, std::int64_t end);
}
