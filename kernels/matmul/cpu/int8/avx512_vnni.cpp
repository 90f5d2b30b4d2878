// kernels/matmul/gemm_int8.h with vpdpbusd, which multiplies unsigned by signed codes: a's codes are taken as
// code + 128, and 128 times the sum of b's column is subtracted with the correction, exactly, modulo 2^32.
// The caller has these sums, or a row of ones next to a's gives them. A whole tile's sums wait in memory and
// become outputs row by row between the products of the next tile, whose units they do not need.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int8/avx512_vnni.cpp"
#include <algorithm>
#include <array>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/matmul/cpu/epilogue_avx512-inl.h"
#include "kernels/matmul/cpu/int8/kernels.h"
#include "kernels/matmul/cpu/scratch.h"
#include "kernels/matmul/cpu/stream.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

constexpr int kTileRows = 6, kTileBlocks = 4;  // 24 registers of sums, 4 of b, 1 or 2 of a
constexpr std::int64_t kTileColumns = kTileBlocks * kColumnBlock;
constexpr std::int64_t kRowBlockBytes = 1 << 20;  // of a, used for one panel after another: half of L2
constexpr std::int64_t kRowBlock = 258;

using Sums = std::int32_t[kTileRows][kTileColumns];

/// A cache line to ask for, and the distance to the next quad's.
struct Ahead {
  const std::int8_t* line;
  std::int64_t step;
};

/// Where a tile's operands begin: `Rows` rows of unsigned codes, and packed blocks `block_stride` bytes
/// apart.
struct TileOperands {
  const std::uint8_t* a[kTileRows];
  const std::int8_t* b;
  std::int64_t block_stride, quads;
  Ahead ahead;
};

/// sum += products of 4 neighbouring codes. In assembly, because GCC 12 keeps no 24 sums in registers with
/// the intrinsic.
inline void add_quads(__m512i& sum, __m512i a, __m512i b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

/// `between` is called after every `interval` quads.
template <int Rows, int Blocks, class Between>
HWY_INLINE void multiply_tile(const TileOperands& operands, Sums& sums, std::int64_t interval,
                              const Between& between) {
  __m512i tile[Rows][Blocks];
  const std::uint8_t* a[Rows];
#pragma GCC unroll 6
  for (int row = 0; row < Rows; ++row) {
    a[row] = operands.a[row];
#pragma GCC unroll 4
    for (int block = 0; block < Blocks; ++block) tile[row][block] = _mm512_setzero_si512();
  }
  const std::int8_t *b = operands.b, *ahead = operands.ahead.line;
  const std::int64_t stride = operands.block_stride, ahead_step = operands.ahead.step;
  for (std::int64_t quad = 0; quad < operands.quads;) {
    for (const std::int64_t end = std::min(quad + interval, operands.quads); quad < end;
         ++quad, b += 64, ahead += ahead_step) {
      __m512i columns[Blocks];
#pragma GCC unroll 4
      for (int block = 0; block < Blocks; ++block) columns[block] = _mm512_load_si512(b + block * stride);
      _mm_prefetch(ahead, _MM_HINT_T1);
#pragma GCC unroll 6
      for (int row = 0; row < Rows; ++row) {
        std::int32_t codes;
        std::memcpy(&codes, a[row] + 4 * quad, sizeof codes);
        const __m512i row_codes = _mm512_set1_epi32(codes);
#pragma GCC unroll 4
        for (int block = 0; block < Blocks; ++block) add_quads(tile[row][block], row_codes, columns[block]);
      }
    }
    between();
  }
#pragma GCC unroll 6
  for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 4
    for (int block = 0; block < Blocks; ++block)
      _mm512_store_si512(sums[row] + block * kColumnBlock, tile[row][block]);
}

template <int Rows, int Blocks>
void multiply_plainly(const TileOperands& operands, Sums& sums) {
  multiply_tile<Rows, Blocks>(operands, sums, operands.quads, [] {});
}
template <int Rows>
constexpr std::array<void (*)(const TileOperands&, Sums&), kTileBlocks> kTilesOfRows = {
    multiply_plainly<Rows, 1>, multiply_plainly<Rows, 2>, multiply_plainly<Rows, 3>,
    multiply_plainly<Rows, 4>};
constexpr std::array kTiles = {kTilesOfRows<1>, kTilesOfRows<2>, kTilesOfRows<3>,
                               kTilesOfRows<4>, kTilesOfRows<5>, kTilesOfRows<6>};

/// One call: its arguments, and the block of a's rows that is unsigned at the moment.
template <class Epilogue>
class VnniGemm {
 public:
  VnniGemm(const GemmInt8Args& args, const GemmRegion& region)
      : args_(args), region_(region), epilogue_(args) {
    stride_ = padded_depth(args.k) + 64;  // not a power of two: rows would share a cache set
    block_stride_ = padded_depth(args.k) * kColumnBlock;
  }

  bool run() {
    const std::int64_t rows = rows_at_once();
    epilogue_.set_streams(
        streams_output(args_.output, args_.output_stride,
                       (region_.row_end - region_.row_begin) * (region_.column_end - region_.column_begin)));
    ones_ = static_cast<std::uint8_t*>(thread_scratch((rows + 1) * stride_));
    if (args_.b_sums == nullptr) std::memset(ones_, 1, stride_);
    for (std::int64_t row = region_.row_begin; row < region_.row_end; row += rows) {
      row_begin_ = row;
      row_end_ = std::min(row + rows, region_.row_end);
      for (std::int64_t each = row_begin_; each < row_end_; ++each) make_unsigned(each);
      for (std::int64_t column = region_.column_begin; column < region_.column_end; column += kTileColumns)
        panel(column);
    }
    _mm_sfence();
    return epilogue_.saw_nan();
  }

 private:
  /// Rows of a block: as many as fit, but about equally many for all blocks, in whole tiles.
  std::int64_t rows_at_once() const {
    const std::int64_t all = region_.row_end - region_.row_begin;
    const std::int64_t fitting = std::clamp<std::int64_t>(kRowBlockBytes / stride_, kTileRows, kRowBlock);
    const std::int64_t blocks = std::max<std::int64_t>((all + fitting - 1) / fitting, 1);
    return std::min(all, ((all + blocks - 1) / blocks + kTileRows - 1) / kTileRows * kTileRows);
  }

  /// Row `row` of a as code + 128; what follows the k-th code meets zeros of b.
  void make_unsigned(std::int64_t row) {
    const std::int8_t* from = args_.a + row * args_.a_stride;
    std::uint8_t* to = unsigned_row(row);
    const __m512i sign = _mm512_set1_epi8(-128);
    for (std::int64_t k = 0; k < args_.k; k += 64) {
      const std::int64_t count = std::min<std::int64_t>(64, args_.k - k);
      const __m512i codes = _mm512_maskz_loadu_epi8(~std::uint64_t{0} >> (64 - count), from + k);
      _mm512_store_si512(to + k, _mm512_xor_si512(codes, sign));
    }
  }
  std::uint8_t* unsigned_row(std::int64_t row) const { return ones_ + (1 + row - row_begin_) * stride_; }

  /// All rows of the block by up to 64 columns.
  void panel(std::int64_t column) {
    column_ = column;
    const std::int64_t columns = std::min(kTileColumns, region_.column_end - column);
    blocks_ = static_cast<int>((columns + kColumnBlock - 1) / kColumnBlock);
    for (int block = 0; block < kTileBlocks; ++block)
      counts_[block] = std::clamp<std::int64_t>(columns - block * kColumnBlock, 0, kColumnBlock);
    if (args_.group_size > 0) {
      const std::int64_t at_once = args_.b_sums == nullptr ? kTileRows - 1 : kTileRows;
      for (std::int64_t row = row_begin_; row < row_end_; row += at_once)
        grouped_tile(row, std::min(at_once, row_end_ - row));
      return;
    }
    load_terms(0);
    const std::int64_t quads = (args_.k + 3) / 4;
    is_wide_ = epilogue_.is_wide(terms_);
    std::int64_t lines_asked = 0;
    for (std::int64_t row = row_begin_; row < row_end_;) {
      const bool with_ones = row == row_begin_ && args_.b_sums == nullptr;
      const std::int64_t rows = std::min<std::int64_t>(with_ones ? kTileRows - 1 : kTileRows, row_end_ - row);
      const bool asks = lines_asked < quads * blocks_;  // for all of the next panel, and no more
      const Ahead ahead{args_.b + packed_index(column + kTileColumns, 0, args_.k) + 64 * lines_asked,
                        asks ? 64 : 0};
      lines_asked += asks ? quads : 0;
      tile(row, rows, with_ones, quads, ahead);
      row += rows;
    }
    finish_waiting(kTileRows);
  }

  /// Terms of the panel's columns in one group, with what the 128 adds to their sums if the caller knows it.
  void load_terms(std::int64_t group) {
    for (int block = 0; block < kTileBlocks; ++block) {
      const std::int64_t column = column_ + block * kColumnBlock;
      terms_[block] = epilogue_.terms(group, column, counts_[block]);
      if (args_.b_sums != nullptr)
        add_excess(block,
                   _mm512_maskz_loadu_epi32(terms_[block].lanes, args_.b_sums + group * args_.n + column));
    }
  }
  void add_excess(int block, __m512i column_sums) {
    terms_[block].correction = _mm512_add_epi32(terms_[block].correction, _mm512_slli_epi32(column_sums, 7));
  }
  void add_excess(const std::int32_t* column_sums) {
    for (int block = 0; block < blocks_; ++block)
      add_excess(block, _mm512_load_si512(column_sums + block * kColumnBlock));
  }

  /// The products of a tile. A whole one's sums wait for the next tile; others become outputs at once.
  void tile(std::int64_t row, std::int64_t rows, bool with_ones, std::int64_t quads, const Ahead& ahead) {
    Sums& sums = sums_[next_sums_];
    if (rows < kTileRows || !is_wide_) {
      finish_waiting(kTileRows);
      multiply(row, rows, with_ones, 0, quads, ahead, sums);
      if (with_ones) add_excess(sums[0]);
      finish_tile(row, rows, sums + (with_ones ? 1 : 0));
      return;
    }
    TileOperands operands{{}, args_.b + packed_index(column_, 0, args_.k), block_stride_, quads, ahead};
    for (std::int64_t r = 0; r < kTileRows; ++r) operands.a[r] = unsigned_row(row + r);
    multiply_and_finish(operands, sums);
    finish_waiting(kTileRows);
    waiting_ = {row, row + kTileRows, sums[0]};
    next_sums_ ^= 1;
  }

  /// Never inlined: GCC 12 keeps all sums in registers only in a function that holds little else.
  [[gnu::noinline]] void multiply_and_finish(const TileOperands& operands, Sums& sums) {
    multiply_tile<kTileRows, kTileBlocks>(operands, sums, operands.quads / kTileRows + 1,
                                          [this]() HWY_ATTR { finish_waiting(1); });
  }

  /// Up to `rows` rows of the tile that waits, if one does.
  HWY_INLINE void finish_waiting(std::int64_t rows) {
    for (; rows > 0 && waiting_.row < waiting_.end; --rows) {
      epilogue_.prefetch(waiting_.row + 1, column_, kTileColumns);
      epilogue_.store_wide(waiting_.row, column_, waiting_.sums, terms_);
      ++waiting_.row;
      waiting_.sums += kTileColumns;
    }
  }

  void finish_tile(std::int64_t row, std::int64_t rows, const std::int32_t (*sums)[kTileColumns]) {
    Epilogue epilogue = epilogue_;
    for (int block = 0; block < blocks_; ++block) {
      const std::int64_t lane = block * kColumnBlock;
      const VectorTerms terms = terms_[block];
      for (std::int64_t r = 0; r < rows; ++r)
        epilogue.store(row + r, column_ + lane, _mm512_load_si512(sums[r] + lane), terms);
    }
    epilogue_.merge_nans(epilogue);
  }

  /// Sums of `rows` rows over `quads` quads from code k on; after the sums of b's columns, if these are
  /// wanted.
  void multiply(std::int64_t row, std::int64_t rows, bool with_ones, std::int64_t k, std::int64_t quads,
                const Ahead& ahead, Sums& sums) const {
    TileOperands operands{{}, args_.b + packed_index(column_, k, args_.k), block_stride_, quads, ahead};
    int count = 0;
    if (with_ones) operands.a[count++] = ones_;
    for (std::int64_t r = 0; r < rows; ++r) operands.a[count++] = unsigned_row(row + r) + k;
    kTiles[count - 1][blocks_ - 1](operands, sums);
  }

  void grouped_tile(std::int64_t row, std::int64_t rows) {
    const bool with_ones = args_.b_sums == nullptr;
    alignas(64) float totals[kTileRows][kTileColumns] = {};
    for (std::int64_t k = 0; k < args_.k; k += args_.group_size) {
      const std::int64_t quads = (std::min(args_.group_size, args_.k - k) + 3) / 4;
      Sums& sums = sums_[0];
      multiply(row, rows, with_ones, k, quads, {args_.b, 0}, sums);
      load_terms(k / args_.group_size);
      if (with_ones) add_excess(sums[0]);
      for (int block = 0; block < blocks_; ++block) {
        const std::int64_t lane = block * kColumnBlock;
        const VectorTerms terms = terms_[block];
        for (std::int64_t r = 0; r < rows; ++r) {
          const __m512i exact = _mm512_load_si512(sums[r + (with_ones ? 1 : 0)] + lane);
          const __m512 part = Epilogue::scaled(exact, terms.correction, terms.scale);
          _mm512_store_ps(totals[r] + lane, _mm512_add_ps(_mm512_load_ps(totals[r] + lane), part));
        }
      }
    }
    for (int block = 0; block < blocks_; ++block) {
      const std::int64_t lane = block * kColumnBlock;
      const __m512 bias = epilogue_.bias(column_ + lane, counts_[block]);
      for (std::int64_t r = 0; r < rows; ++r)
        epilogue_.store_total(row + r, column_ + lane, _mm512_load_ps(totals[r] + lane), bias,
                              first_lanes(counts_[block]));
    }
  }

  /// Rows [row, end) of a tile whose sums are complete: `sums` is the first of them.
  struct Waiting {
    std::int64_t row, end;
    const std::int32_t* sums;
  };

  const GemmInt8Args args_;
  const GemmRegion region_;
  Epilogue epilogue_;
  std::int64_t stride_, block_stride_;
  std::uint8_t* ones_ = nullptr;  // a row of ones, and then the block's rows
  std::int64_t row_begin_ = 0, row_end_ = 0, column_ = 0;
  int blocks_ = 0, next_sums_ = 0;
  bool is_wide_ = false;
  std::int64_t counts_[kTileBlocks] = {};
  WideTerms terms_;
  Waiting waiting_{};
  alignas(64) Sums sums_[2];
};

}  // namespace

bool gemm_int8_vnni(const GemmInt8Args& args, const GemmRegion& region) {
  return run_with_epilogue<VnniGemm>(args, region);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
