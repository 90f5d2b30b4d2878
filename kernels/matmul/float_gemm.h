// Products of float32 matrices whose bits are part of the contract (docs/numerics.md §12): each output is one
// chain of fused multiply-adds over k ascending, so that neither vectors, tiles, threads nor regions change a
// bit. The product below float_linear and float_conv2d.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"
#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {

/// Layout of a packed b, the same for every implementation: [padded_columns(n) / 16][k][16] floats: blocks of
/// 16 columns, in which the columns of one k stand side by side. Padding is 0.
constexpr std::int64_t packed_float_size(std::int64_t n, std::int64_t k) {
  return padded_columns(n) * k;
}

/// Packs rows [begin, end) of row-major floats [n][k], a column of b each, and the padding that follows them.
/// `begin` is a multiple of 16, `end` too or n, so that threads can share the work. `packed` is the whole
/// matrix.
void pack_float_b(const float* rows, std::int64_t n, std::int64_t k, float* packed, std::int64_t begin,
                  std::int64_t end);

struct FloatGemmArgs {
  const float* a;         // rows of k floats, of any alignment
  std::int64_t a_stride;  // elements between two rows of a
  const float* b;         // packed
  std::int64_t n, k;      // columns, depth
  const float* bias;      // one a channel: each column, or each row with channels_are_rows; null: none
  bool channels_are_rows = false;
  float* y;                              // row-major; is none of the other arrays
  std::int64_t y_stride;                 // elements between two rows of y
  const float* channel_scale = nullptr;  // one a channel; null: none
};

/// y[row][column] = fl(fl(t * channel_scale) + bias), each step only where there is one, for a region
/// (gemm_int8.h): nothing else is written.
/// t = fma(a[row][p], b[p][column], t) from +0, p ascending. A NaN result is 0x7FC00000. Does not allocate or
/// throw.
extern const Kernel<void(const FloatGemmArgs& args, const GemmRegion& region)> float_gemm;

}  // namespace samebits::kernels
