// The implementations of kernels/matmul/gemm_int8.h, one file each.
#pragma once

#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {
#if defined(__x86_64__)
namespace amx {
bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region);
}
namespace avx512_vnni {
bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region);
}
#elif defined(__aarch64__)
namespace neon_dotprod {
bool gemm_int8(const GemmInt8Args& args, const GemmRegion& region);
}
#endif

}  // namespace samebits::kernels
