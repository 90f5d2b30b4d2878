#pragma once
#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels::reference {
bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region);
}
