// Products of two computed float matrices, many at a time: each b is packed, then multiplied by float_gemm.h,
// whose bits they have. Both steps are cut into items that threads share.
#pragma once

#include <cstdint>

#include "kernels/matmul/float_gemm.h"

namespace samebits::kernels {

/// y[i] = a[i] · b[i] of m x k and k x n, for i below `products`. Strides and offsets are in elements.
struct FloatMatmul {
  std::int64_t products, m, n, k;
  const float* a;
  std::int64_t a_row_stride;      // the elements of a row lie side by side
  const std::int64_t* a_offsets;  // of each product
  const float* b;
  std::int64_t b_row_stride,
      b_column_stride;            // from k to k + 1, from n to n + 1: a transposed b needs no copy
  const std::int64_t* b_offsets;  // of each b
  std::int64_t b_count;           // how many b there are
  const std::int64_t* b_of;       // of each product
  float* packed;                  // packed_float_size(n, k) for each b
  float* y;                       // [products][m][n]

  std::int64_t pack_items() const { return b_count * (padded_columns(n) / kColumnBlock); }
};

/// Items [begin, end) of pack_items(), all of them before any of multiply().
void pack_float_matrices(const FloatMatmul& args, std::int64_t begin, std::int64_t end);

/// Items [begin, end) of products · parts: part `i % parts` of product `i / parts`.
void multiply_float_matrices(const FloatMatmul& args, std::int64_t parts, std::int64_t begin,
                             std::int64_t end);

}  // namespace samebits::kernels
