// The contract of kernels/gemm_int8.h as plain loops, and the packing that all implementations read.
#include "kernels/reference/gemm_int8.h"

#include <algorithm>

namespace samebits::kernels {
namespace {

/// Where element (row n, column k) of b stands in the packed order.
std::int64_t packed_index(std::int64_t row, std::int64_t column, std::int64_t depth) {
  const std::int64_t block = row / kColumnBlock, lane = row % kColumnBlock;
  return (block * (padded_depth(depth) / 2) + column / 2) * 2 * kColumnBlock + lane * 2 + column % 2;
}

}  // namespace

void pack_gemm_b(const std::int8_t* codes, std::int64_t n, std::int64_t k, std::int16_t* packed) {
  std::fill(packed, packed + packed_size(n, k), std::int16_t{0});
  for (std::int64_t row = 0; row < n; ++row)
    for (std::int64_t column = 0; column < k; ++column)
      packed[packed_index(row, column, k)] = codes[row * k + column];
}

namespace reference {

void gemm_int8(const GemmInt8Args& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t columns = padded_columns(args.n);
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int8_t* a = args.a + row * args.a_stride;
    for (std::int64_t column = 0; column < columns; ++column) {
      std::int32_t accumulator = 0;
      for (std::int64_t k = args.k_begin; k < args.k_end; ++k)
        accumulator += a[k] * args.b[packed_index(column, k, args.k)];
      args.accumulators[row * columns + column] = accumulator;
    }
  }
}

}  // namespace reference
}  // namespace samebits::kernels
