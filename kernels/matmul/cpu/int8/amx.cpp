// kernels/matmul/gemm_int8.h with AMX tiles. A tile of sums is 16 x 16; two tiles of a by two of b keep four
// of them busy. While they are, the vector unit turns the sums of the block before into output.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int8/amx.cpp"
#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/matmul/cpu/epilogue_avx512-inl.h"
#include "kernels/matmul/cpu/int8/kernels.h"
#include "kernels/matmul/cpu/scratch.h"
#include "kernels/matmul/cpu/tile_config.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTile = 16;                // rows of a tile, and columns of a packed block
constexpr std::int64_t kTilePair = 2 * kTile;     // rows and columns that four tiles of sums hold
constexpr std::int64_t kRowBlockBytes = 1 << 20;  // rows of a that stay in L2 while b passes
constexpr std::int64_t kRowBlockTiles = 16;
constexpr std::int64_t kFewRows = 4;     // below this AMX's tiles are mostly padding
constexpr std::int64_t kShortStep = 16;  // groups that no longer step divides leave tiles mostly empty

// The instructions, by the number of a tile register. In assembly, as intrinsics would need this file
// compiled for AMX. What they read must have been written: they name no memory, so that the work between them
// stays in registers.
template <int kTile>
HWY_INLINE void tile_zero() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kTile>
HWY_INLINE void tile_load(const void* from, std::int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile));
}
template <int kTile>
HWY_INLINE void tile_store(void* to, std::int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kSums, int kA, int kB>
HWY_INLINE void tile_multiply() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kA), "i"(kB));
}
HWY_INLINE void finish_writes() {
  __asm__ volatile("" ::: "memory");
}

/// One step of depth for 1 or 2 tiles of a by 1 or 2 of b.
template <int RowTiles, int ColumnTiles>
inline void add_products(const std::int8_t* const (&a)[2], std::int64_t a_stride, const std::int8_t* b0,
                         const std::int8_t* b1) {
  tile_load<4>(a[0], a_stride);
  if constexpr (RowTiles == 2) tile_load<5>(a[1], a_stride);
  tile_load<6>(b0, 64);
  if constexpr (ColumnTiles == 2) tile_load<7>(b1, 64);
  tile_multiply<0, 4, 6>();
  if constexpr (RowTiles == 2) tile_multiply<2, 5, 6>();
  if constexpr (ColumnTiles == 2) tile_multiply<1, 4, 7>();
  if constexpr (RowTiles == 2 && ColumnTiles == 2) tile_multiply<3, 5, 7>();
}

using Sums = std::int32_t[kTilePair][kTilePair];
constexpr std::int64_t kSumStride = kTilePair * sizeof(std::int32_t);

inline void clear_tiles() {
  tile_zero<0>();
  tile_zero<1>();
  tile_zero<2>();
  tile_zero<3>();
}

template <int RowTiles, int ColumnTiles>
inline void store_tiles(Sums& sums) {
  tile_store<0>(sums[0], kSumStride);
  if constexpr (ColumnTiles == 2) tile_store<1>(sums[0] + kTile, kSumStride);
  if constexpr (RowTiles == 2) tile_store<2>(sums[kTile], kSumStride);
  if constexpr (RowTiles == 2 && ColumnTiles == 2) tile_store<3>(sums[kTile] + kTile, kSumStride);
}

/// Up to 32 x 32 outputs.
struct Block {
  // Where its tiles begin. The last tile of a region's rows may overlap the one before: both write the same.
  std::int64_t row[2], column;
  std::int64_t rows;  // in both tiles
  int column_tiles;
  VectorTerms terms[2];

  std::int64_t row_at(std::int64_t i) const { return i < kTile ? row[0] + i : row[1] + i - kTile; }
};

/// Lines of the panel of b that comes next, to be asked for a few at a time.
struct Ahead {
  const std::int8_t* line[2];  // in its two blocks of columns
  std::int64_t lines, lines_per_step;

  void ask() {
    for (std::int64_t i = 0; i < lines_per_step && lines > 0; ++i, --lines) {
      _mm_prefetch(line[0], _MM_HINT_T1);
      _mm_prefetch(line[1], _MM_HINT_T1);
      line[0] += 64;
      line[1] += 64;
    }
  }
};

/// Sums that become output row by row, while tiles are busy with others.
template <class Epilogue>
struct Finisher {
  Epilogue epilogue;
  Block block;  // no rows: nothing is pending
  const std::int32_t* sums;
  std::int64_t next = 0;

  void finish_rows(std::int64_t count) {
    for (std::int64_t end = std::min(next + count, block.rows); next < end; ++next, sums += kTilePair) {
      const std::int64_t row = block.row_at(next);
      epilogue.store(row, block.column, _mm512_load_si512(sums), block.terms[0]);
      if (block.column_tiles == 2)
        epilogue.store(row, block.column + kTile, _mm512_load_si512(sums + kTile), block.terms[1]);
    }
  }
};

/// One call.
template <class Epilogue>
class AmxGemm {
 public:
  AmxGemm(const GemmInt8Args& args, const GemmRegion& region)
      : args_(args),
        region_(region),
        epilogue_(args),
        tile_rows_(std::min(kTile, region.row_end - region.row_begin)),
        depth_(depth_of_step(args)),
        a_stride_(padded_depth(args.k) + 64),  // not a power of two: rows would share a cache set
        b_stride_(padded_depth(args.k) * kColumnBlock) {}

  static std::int64_t depth_of_step(const GemmInt8Args& args) {
    if (args.group_size == 0) return kDepthBlock;
    const std::int64_t largest_power_of_two = args.group_size & -args.group_size;
    return std::min(kDepthBlock, largest_power_of_two);
  }

  bool run() {
    if (region_.row_begin >= region_.row_end || region_.column_begin >= region_.column_end) return false;
    const TileConfig config(static_cast<int>(tile_rows_), static_cast<int>(depth_ / 4));
    const std::int64_t tiles = (region_.row_end - region_.row_begin + kTile - 1) / kTile;
    const std::int64_t fitting = kRowBlockBytes / (a_stride_ * kTile);
    const std::int64_t blocks = divide_up(tiles, std::clamp<std::int64_t>(fitting, 2, kRowBlockTiles));
    const std::int64_t block_tiles = divide_up(divide_up(tiles, blocks), 2) * 2;
    a_ = static_cast<std::int8_t*>(thread_scratch(block_tiles * kTile * a_stride_));
    for (std::int64_t tile = 0; tile < tiles; tile += block_tiles)
      row_block(tile, std::min(tile + block_tiles, tiles));
    Finisher<Epilogue> finisher{epilogue_, pending_, sums_[current_][0]};
    finisher.finish_rows(kTilePair);
    return finisher.epilogue.saw_nan();
  }

 private:
  static std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

  std::int64_t row_of_tile(std::int64_t tile) const {
    return std::min(region_.row_begin + tile * kTile, region_.row_end - tile_rows_);
  }
  std::int64_t columns_of_tile(std::int64_t column) const {
    return std::min(kTile, region_.column_end - column);
  }

  /// Tiles [first, last) of a's rows by all columns.
  void row_block(std::int64_t first, std::int64_t last) {
    copy_rows(first, last);
    for (std::int64_t column = region_.column_begin; column < region_.column_end; column += kTilePair)
      panel(first, last, column);
  }

  void panel(std::int64_t first, std::int64_t last, std::int64_t column) {
    Block block{};
    block.column = column;
    block.column_tiles = region_.column_end - column > kTile ? 2 : 1;
    for (int tile = 0; tile < block.column_tiles && args_.group_size == 0; ++tile)
      block.terms[tile] = epilogue_.terms(0, column + tile * kTile, columns_of_tile(column + tile * kTile));
    const std::int64_t next_column =
        column + kTilePair < region_.column_end ? column + kTilePair : region_.column_begin;
    const std::int8_t* next = args_.b + packed_index(next_column, 0, args_.k);
    Ahead ahead{{next, next + b_stride_}, b_stride_ / 64, divide_up(kTile, divide_up(last - first, 2))};
    for (std::int64_t tile = first; tile < last; tile += 2) {
      const int row_tiles = last - tile >= 2 ? 2 : 1;
      block.row[0] = row_of_tile(tile);
      block.row[1] = row_of_tile(tile + row_tiles - 1);
      block.rows = row_tiles * tile_rows_;
      multiply_shape(block, tile - first, row_tiles, ahead);
    }
  }

  void multiply_shape(const Block& block, std::int64_t tile, int row_tiles, Ahead& ahead) {
    if (row_tiles == 2 && block.column_tiles == 2) return multiply<2, 2>(block, tile, ahead);
    if (row_tiles == 2) return multiply<2, 1>(block, tile, ahead);
    if (block.column_tiles == 2) return multiply<1, 2>(block, tile, ahead);
    return multiply<1, 1>(block, tile, ahead);
  }

  /// Tiles of a with zeros up to whole steps of depth, so that none reads past a row, at a stride that suits
  /// the caches.
  void copy_rows(std::int64_t first, std::int64_t last) {
    for (std::int64_t tile = first; tile < last; ++tile)
      for (std::int64_t row = 0; row < tile_rows_; ++row)
        copy_row(args_.a + (row_of_tile(tile) + row) * args_.a_stride,
                 a_ + ((tile - first) * kTile + row) * a_stride_);
    finish_writes();
  }
  void copy_row(const std::int8_t* from, std::int8_t* to) const {
    for (std::int64_t k = 0; k < args_.k; k += 64) {
      const __mmask64 codes = ~std::uint64_t{0} >> (64 - std::min<std::int64_t>(64, args_.k - k));
      _mm512_store_si512(to + k, _mm512_maskz_loadu_epi8(codes, from + k));
    }
  }

  /// `tile`: the block's first one in the row block.
  template <int RowTiles, int ColumnTiles>
  void multiply(const Block& block, std::int64_t tile, Ahead& ahead) {
    if (args_.group_size > 0) return multiply_groups<RowTiles, ColumnTiles>(block, tile);
    multiply_block<RowTiles, ColumnTiles>(block, tile, ahead);
    current_ ^= 1;
    store_tiles<RowTiles, ColumnTiles>(sums_[current_]);
    pending_ = block;
  }

  /// Leaves the block's sums in the tiles, and finishes the pending block meanwhile.
  template <int RowTiles, int ColumnTiles>
  void multiply_block(const Block& block, std::int64_t tile, Ahead& shared_ahead) {
    Finisher<Epilogue> finisher{epilogue_, pending_, sums_[current_][0]};
    Ahead ahead = shared_ahead;
    const std::int64_t steps = padded_depth(args_.k) / kDepthBlock, a_stride = a_stride_,
                       b_stride = b_stride_;
    const std::int64_t share = divide_up(kTilePair, std::max<std::int64_t>(1, steps));  // rows a step
    const std::int8_t* a[2] = {a_ + tile * kTile * a_stride, a_ + (tile + RowTiles - 1) * kTile * a_stride};
    const std::int8_t* b = args_.b + packed_index(block.column, 0, args_.k);
    std::int64_t asked = 0;
    clear_tiles();
    for (std::int64_t step = 0; step < steps; ++step, b += kDepthBlock * kColumnBlock) {
      add_products<RowTiles, ColumnTiles>(a, a_stride, b, b + b_stride);
      a[0] += kDepthBlock;
      a[1] += kDepthBlock;
      ahead.ask();
      for (const std::int64_t end = std::min(asked + share, block.rows); asked < end; ++asked)
        finisher.epilogue.prefetch(block.row_at(asked), block.column, kTilePair);
      finisher.finish_rows(share);
    }
    finisher.finish_rows(kTilePair);
    epilogue_.merge_nans(finisher.epilogue);
    shared_ahead = ahead;
  }

  /// Groups: sums of one are added to the totals while the tiles of the next are busy.
  template <int RowTiles, int ColumnTiles>
  void multiply_groups(const Block& block, std::int64_t tile) {
    alignas(64) float totals[kTilePair][kTilePair] = {};
    const std::int8_t* b = args_.b + packed_index(block.column, 0, args_.k);
    const std::int64_t groups = divide_up(args_.k, args_.group_size);
    for (std::int64_t group = 0; group < groups; ++group) {
      clear_tiles();
      const std::int64_t end = std::min((group + 1) * args_.group_size, args_.k);
      for (std::int64_t k = group * args_.group_size; k < end; k += depth_) {
        const std::int8_t* a[2] = {a_ + tile * kTile * a_stride_ + k,
                                   a_ + (tile + RowTiles - 1) * kTile * a_stride_ + k};
        const std::int8_t* step_b = b + k * kColumnBlock;
        add_products<RowTiles, ColumnTiles>(a, a_stride_, step_b, step_b + b_stride_);
      }
      if (group > 0) add_group<ColumnTiles>(block, group - 1, totals);
      store_tiles<RowTiles, ColumnTiles>(sums_[group % 2]);
    }
    if (groups > 0) add_group<ColumnTiles>(block, groups - 1, totals);
    for (int tile = 0; tile < ColumnTiles; ++tile) {
      const std::int64_t column = block.column + tile * kTile, count = columns_of_tile(column);
      const __m512 bias = epilogue_.bias(column, count);
      for (std::int64_t i = 0; i < block.rows; ++i)
        epilogue_.store_total(block.row_at(i), column, _mm512_load_ps(totals[i] + tile * kTile), bias,
                              first_lanes(count));
    }
  }

  template <int ColumnTiles>
  void add_group(const Block& block, std::int64_t group, float (&totals)[kTilePair][kTilePair]) const {
    const Sums& sums = sums_[group % 2];
    const std::int64_t rows = block.rows;
    for (int tile = 0; tile < ColumnTiles; ++tile) {
      const std::int64_t column = block.column + tile * kTile;
      const VectorTerms terms = epilogue_.terms(group, column, columns_of_tile(column));
      for (std::int64_t i = 0; i < rows; ++i) {
        const __m512 part =
            Epilogue::scaled(_mm512_load_si512(sums[i] + tile * kTile), terms.correction, terms.scale);
        _mm512_store_ps(totals[i] + tile * kTile,
                        _mm512_add_ps(_mm512_load_ps(totals[i] + tile * kTile), part));
      }
    }
  }

  const GemmInt8Args args_;
  const GemmRegion region_;
  Epilogue epilogue_;
  const std::int64_t tile_rows_, depth_, a_stride_, b_stride_;
  std::int8_t* a_ = nullptr;  // the row block's tiles
  Block pending_{};           // its sums are in sums_[current_]; no rows at first
  int current_ = 0;
  alignas(64) Sums sums_[2];
};

}  // namespace

bool gemm_int8_amx(const GemmInt8Args& args, const GemmRegion& region) {
  const bool has_few_rows = region.row_end - region.row_begin < kFewRows;
  const bool has_short_groups = args.group_size % kShortStep != 0;
  if (has_few_rows || has_short_groups) return gemm_int8_vnni(args, region);
  return run_with_epilogue<AmxGemm>(args, region);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
