// The entries of gemm_int8's list that have files of their own.
#pragma once

#include "hwy/highway.h"
#include "kernels/matmul/gemm_int8.h"

#if HWY_TARGETS & HWY_AVX3
namespace samebits::kernels::N_AVX3 {
bool gemm_int8_vnni(const GemmInt8Args& args, const GemmRegion& region);
bool gemm_int8_amx(const GemmInt8Args& args, const GemmRegion& region);
}  // namespace samebits::kernels::N_AVX3
#endif
#if HWY_TARGETS & HWY_NEON
namespace samebits::kernels::neon_dotprod {
bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region);
}
#endif
