// kernels/matmul/gemm_bf16.h with AVX512-BF16 (vdpbf16ps): tiles of 8 rows x 48 columns. The instruction adds
// the two products of a pair one after the other and takes denormals as 0.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/common/isa.h"
#include "kernels/matmul/cpu/bf16/store.h"
#include "kernels/matmul/cpu/stream.h"

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

using Sums = float[kRows][3 * 16];

/// Where a tile's operands begin: rows of a, and blocks of 16 columns of b, `block_size` elements apart. A
/// cache line is asked for at every pair, `ahead_step` elements after the last one.
struct TileOperands {
  const Bf16 *a, *b;
  std::int64_t block_size, pairs;
  const Bf16* ahead;
  std::int64_t ahead_step;
};

/// Never inlined: GCC 12 keeps all sums in registers only in a function that holds little else.
template <int Blocks>
[[gnu::noinline]] void multiply_tile(const TileOperands& operands, Sums& to) {
  __m512 sums[kRows][Blocks];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int block = 0; block < Blocks; ++block) sums[r][block] = _mm512_setzero_ps();
  const Bf16 *a = operands.a, *b = operands.b, *ahead = operands.ahead;
  const std::int64_t block_size = operands.block_size, ahead_step = operands.ahead_step;
  for (std::int64_t pair = 0; pair < operands.pairs; ++pair, b += 32, ahead += ahead_step) {
    _mm_prefetch(ahead, _MM_HINT_T1);
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
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int block = 0; block < Blocks; ++block) _mm512_store_ps(to[r] + 16 * block, sums[r][block]);
}

/// What is the same for every tile of a call.
struct Multiplication {
  const GemmBf16Args& args;
  const GemmRegion& region;
  bool streams;  // stream.h
};

/// 16 sums of one row, all of whose columns and mask bytes are whole.
inline void store_whole_block(const Multiplication& call, std::int64_t row, std::int64_t column,
                              __m512 sums) {
  const GemmBf16Args& args = call.args;
  __m512 value = _mm512_mul_ps(sums, _mm512_set1_ps(args.scale));
  if (args.clip_mask != nullptr) {
    std::uint16_t clipped;
    std::memcpy(&clipped, args.clip_mask + (row * args.columns + column) / 8, sizeof clipped);
    value = _mm512_maskz_mov_ps(static_cast<__mmask16>(~clipped), value);
  }
  float* output = args.output + row * args.output_stride + column;
  if (args.accumulate) value = _mm512_add_ps(_mm512_loadu_ps(output), value);
  if (call.streams)
    _mm512_stream_ps(output, value);
  else
    _mm512_storeu_ps(output, value);
}

/// The first `rows` rows of a tile.
template <int Blocks>
void store_tile(const Multiplication& call, std::int64_t row, std::int64_t rows, std::int64_t column,
                const Sums& sums) {
  const GemmBf16Args& args = call.args;
  const bool is_whole =
      column + 16 * Blocks <= call.region.column_end && (args.clip_mask == nullptr || args.columns % 8 == 0);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int block = 0; block < Blocks; ++block) {
      const __m512 values = _mm512_load_ps(sums[r] + 16 * block);
      if (is_whole)
        store_whole_block(call, row + r, column + 16 * block, values);
      else
        store_sums(args, row + r, column + 16 * block, call.region.column_end, values);
    }
  }
}

/// Rows [row, row_last) and Blocks x 16 columns.
template <int Blocks>
void multiply_columns(const Multiplication& call, std::int64_t row, std::int64_t row_last,
                      std::int64_t column) {
  const GemmBf16Args& args = call.args;
  const std::int64_t depth = padded_bf16(args.depth), pairs = depth / 2, block_size = depth * 16;
  TileOperands operands{nullptr, args.b + packed_bf16_b_index(0, column, depth), block_size, pairs};
  std::int64_t lines_asked = 0;  // of the columns that come next, which follow in memory
  alignas(64) Sums sums;
  for (; row < row_last; row += kRows) {
    const bool asks = lines_asked < Blocks * pairs;
    operands.a = args.a + packed_bf16_a_index(row, 0, depth);
    operands.ahead = operands.b + Blocks * block_size + 32 * lines_asked;
    operands.ahead_step = asks ? 32 : 0;
    lines_asked += asks ? pairs : 0;
    multiply_tile<Blocks>(operands, sums);
    store_tile<Blocks>(call, row, std::min(kRows, row_last - row), column, sums);  // not the padding
  }
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region) {
  const std::int64_t row_bytes = std::max<std::int64_t>(1, 2 * padded_bf16(args.depth));
  const std::int64_t rows = std::max(kRows, kCachedBytes / row_bytes / kRows * kRows);
  const std::int64_t elements =
      (region.row_end - region.row_begin) * (region.column_end - region.column_begin);
  const Multiplication call{args, region,
                            !args.accumulate && streams_output(args.output, args.output_stride, elements)};
  for (std::int64_t row = region.row_begin; row < region.row_end; row += rows) {
    const std::int64_t row_last = std::min(row + rows, region.row_end);
    std::int64_t column = region.column_begin;
    for (; column + 32 < region.column_end; column += 48) multiply_columns<3>(call, row, row_last, column);
    if (column + 16 < region.column_end)
      multiply_columns<2>(call, row, row_last, column);
    else if (column < region.column_end)
      multiply_columns<1>(call, row, row_last, column);
  }
  _mm_sfence();
}

}  // namespace samebits::kernels::avx512_bf16
SAMEBITS_END_TARGET
#endif
