// kernels/matmul/gemm_bf16.h with AVX512-BF16 (vdpbf16ps): tiles of 8 rows x 48 columns. The instruction adds
// the two products of a pair one after the other and takes denormals as 0.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/common/isa.h"
#include "kernels/matmul/cpu/bf16/store.h"

namespace samebits::kernels::avx512_bf16 {

// Measured on an Intel processor with AMX: one vdpbf16ps in two cycles, four FMAs in the same time.
std::string why_not() {
  const std::string reason = isa::why_not_avx512_bf16();
  if (!reason.empty() || !isa::forced().empty() || __builtin_cpu_is("intel") == 0) return reason;
  return "float32 multiply-adds are faster on this processor";
}

}  // namespace samebits::kernels::avx512_bf16

SAMEBITS_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
namespace samebits::kernels::avx512_bf16 {
namespace {

constexpr std::int64_t kRows = 8;
constexpr std::int64_t kCachedBytes = 1 << 20;  // of a: rows that stay in L2 while columns of b pass

/// sum += the products of two pairs. In assembly: GCC 12 spills sums around its intrinsic.
inline void add_products(__m512& sum, __m512i a, __m512i b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

/// kRows rows from `row` on and Blocks x 16 columns from `column` on.
template <int Blocks>
inline void multiply_tile(const GemmBf16Args& args, const GemmRegion& region, std::int64_t row,
                          std::int64_t column) {
  const std::int64_t depth = padded_bf16(args.depth), block_size = depth * 16;
  const Bf16* a = args.a + packed_bf16_a_index(row, 0, depth);
  const Bf16* b = args.b + packed_bf16_b_index(0, column, depth);
  __m512 sums[kRows][Blocks];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int block = 0; block < Blocks; ++block) sums[r][block] = _mm512_setzero_ps();
  for (std::int64_t pair = 0; pair < depth / 2; ++pair, b += 32) {
    const Bf16* a_pair = a + pair / 16 * 512 + pair % 16 * 2;
    __m512i b_pairs[Blocks];
#pragma GCC unroll 3
    for (int block = 0; block < Blocks; ++block) b_pairs[block] = _mm512_load_si512(b + block * block_size);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      std::int32_t bits;
      std::memcpy(&bits, a_pair + r * 32, sizeof bits);
      const __m512i a_pairs = _mm512_set1_epi32(bits);
#pragma GCC unroll 3
      for (int block = 0; block < Blocks; ++block) add_products(sums[r][block], a_pairs, b_pairs[block]);
    }
  }
  // The rows are written one by one: those of the padding are not.
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int block = 0; block < Blocks; ++block)
      if (row + r < region.row_end)
        store_sums(args, row + r, column + 16 * block, region.column_end, sums[r][block]);
}

/// Rows [row, row_last) and Blocks x 16 columns.
template <int Blocks>
void multiply_columns(const GemmBf16Args& args, const GemmRegion& region, std::int64_t row,
                      std::int64_t row_last, std::int64_t column) {
  for (; row < row_last; row += kRows) multiply_tile<Blocks>(args, region, row, column);
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region) {
  const std::int64_t row_bytes = std::max<std::int64_t>(1, 2 * padded_bf16(args.depth));
  const std::int64_t rows = std::max(kRows, kCachedBytes / row_bytes / kRows * kRows);
  for (std::int64_t row = region.row_begin; row < region.row_end; row += rows) {
    const std::int64_t row_last = std::min(row + rows, region.row_end);
    std::int64_t column = region.column_begin;
    for (; column + 32 < region.column_end; column += 48)
      multiply_columns<3>(args, region, row, row_last, column);
    if (column + 16 < region.column_end)
      multiply_columns<2>(args, region, row, row_last, column);
    else if (column < region.column_end)
      multiply_columns<1>(args, region, row, row_last, column);
  }
}

}  // namespace samebits::kernels::avx512_bf16
SAMEBITS_END_TARGET
#endif
