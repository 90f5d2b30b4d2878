// The contract of kernels/matmul/float_gemm.h as a plain loop.
#include "kernels/matmul/reference/float_gemm.h"

#include <bit>
#include <cmath>

namespace samebits::kernels::reference {

void float_gemm(const FloatGemmArgs& args, const GemmRegion& region) {
  for (std::int64_t row = region.row_begin; row < region.row_end; ++row) {
    for (std::int64_t column = region.column_begin; column < region.column_end; ++column) {
      const float* const a = args.a + row * args.a_stride;
      const float* const b = args.b + column / kColumnBlock * kColumnBlock * args.k + column % kColumnBlock;
      float t = 0.0f;
      for (std::int64_t p = 0; p < args.k; ++p) t = std::fma(a[p], b[p * kColumnBlock], t);
      const std::int64_t channel = args.channels_are_rows ? row : column;
      if (args.channel_scale != nullptr) t *= args.channel_scale[channel];
      if (args.bias != nullptr) t += args.bias[channel];
      args.y[row * args.y_stride + column] = std::isnan(t) ? std::bit_cast<float>(0x7FC00000u) : t;
    }
  }
}

}  // namespace samebits::kernels::reference
