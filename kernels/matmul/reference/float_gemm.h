#pragma once
#include "kernels/matmul/float_gemm.h"

namespace samebits::kernels::reference {
void float_gemm(const FloatGemmArgs& args, const GemmRegion& region);
}  // namespace samebits::kernels::reference
