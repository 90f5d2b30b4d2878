#include "kernels/matmul/float_matmul.h"

#include <algorithm>

namespace samebits::kernels {
namespace {

/// One block of columns of b, as pack_float_b() lays it out.
void pack_block(const FloatMatmul& args, const float* b, std::int64_t column, float* to) {
  const std::int64_t columns = std::min(kColumnBlock, args.n - column);
  for (std::int64_t p = 0; p < args.k; ++p, to += kColumnBlock) {
    const float* const from = b + p * args.b_row_stride + column * args.b_column_stride;
    for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j * args.b_column_stride];
    std::fill(to + columns, to + kColumnBlock, 0.0f);
  }
}

}  // namespace

void pack_float_matrices(const FloatMatmul& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t blocks = padded_columns(args.n) / kColumnBlock;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t matrix = item / blocks, block = item % blocks;
    float* const packed = args.packed + matrix * packed_float_size(args.n, args.k);
    pack_block(args, args.b + args.b_offsets[matrix], block * kColumnBlock,
               packed + block * kColumnBlock * args.k);
  }
}

void multiply_float_matrices(const FloatMatmul& args, std::int64_t parts, std::int64_t begin,
                             std::int64_t end) {
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t product = item / parts;
    FloatGemmArgs gemm{};
    gemm.a = args.a + args.a_offsets[product];
    gemm.a_stride = args.a_row_stride;
    gemm.b = args.packed + args.b_of[product] * packed_float_size(args.n, args.k);
    gemm.n = args.n;
    gemm.k = args.k;
    gemm.y = args.y + product * args.m * args.n;
    gemm.y_stride = args.n;
    float_gemm(gemm, gemm_region(args.m, args.n, item % parts, parts));
  }
}

}  // namespace samebits::kernels
