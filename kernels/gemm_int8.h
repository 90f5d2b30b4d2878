// Exact int32 sums of products of int8 codes: the matrix multiplication below linear and conv2d.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/implementation.h"

namespace samebits::kernels {

/// Columns are packed in blocks of 16, sums over k in pairs.
constexpr std::int64_t kColumnBlock = 16;
constexpr std::int64_t padded_columns(std::int64_t n) { return (n + kColumnBlock - 1) / kColumnBlock * kColumnBlock; }
constexpr std::int64_t padded_depth(std::int64_t k) { return (k + 1) / 2 * 2; }

/// One call: accumulators[m][n] = sum over k of a[m][k] * b[n][k], for k in [k_begin, k_end).
struct GemmInt8Args {
  const std::int8_t* a;         // rows of k codes
  std::int64_t a_stride;        // elements between two rows of a
  const std::int16_t* b;        // packed: [padded_columns(n) / 16][padded_depth(k) / 2][16][2]; padding is 0
  std::int32_t* accumulators;   // rows of padded_columns(n) sums; the padding gets 0
  std::int64_t n, k;
  std::int64_t k_begin, k_end;  // k_begin even; k_end even or k
};

/// Elements of a packed matrix of n rows and k columns.
constexpr std::int64_t packed_size(std::int64_t n, std::int64_t k) { return padded_columns(n) * padded_depth(k); }

/// Packs row-major codes [n][k] for `b`.
void pack_gemm_b(const std::int8_t* codes, std::int64_t n, std::int64_t k, std::int16_t* packed);

/// Rows [begin, end) of a and of the accumulators. The caller keeps k below the bound where int32 could overflow
/// (max_depth in linear.h). Does not allocate or throw.
void gemm_int8(const GemmInt8Args& args, std::int64_t begin, std::int64_t end);

std::span<const Implementation<decltype(gemm_int8)>> gemm_int8_implementations();

}  // namespace samebits::kernels
