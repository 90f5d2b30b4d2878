// kernels/matmul/gemm_bf16.h with AMX: 2 x 2 tiles of 16 x 16 sums. A part of the depth is taken at a time,
// so that 32 columns of b stay in the first cache while rows of a stream past them, and sums of 256 x 256
// elements wait in the second.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/matmul/cpu/bf16/store.h"

SAMEBITS_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,amx-tile,amx-bf16")
namespace samebits::kernels::amx {
namespace {

// One step is 32 depths, what a tile holds. A block is 2 x 2 tiles, 32 x 32 elements of the output.
constexpr std::int64_t kTile = 512;  // bfloat16 numbers of a tile
constexpr std::int64_t kChunk = 16;  // steps taken at a time: 32 KiB of b
constexpr std::int64_t kBlocks = 8;  // blocks whose sums wait, along rows and along columns
constexpr std::int64_t kBlockSums = 32 * 32;

/// Eight tiles of 16 rows of 64 bytes (Intel SDM, LDTILECFG).
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constinit TileConfig tile_config;

/// A block whose sums are complete and are being written between the tile instructions of the next one.
struct FinishedBlock {
  const float* sums = nullptr;
  float* output = nullptr;
  const std::uint8_t* clip_mask = nullptr;
  std::int64_t rows_left = 0;
};

/// Sums of a block lie as four tiles: row r of the left half from 16 r on, of the right half 256 further.
inline void write_rows(const GemmBf16Args& args, FinishedBlock& block, std::int64_t count) {
  for (; count > 0; --count) {
    store_whole_row(args, block.output, block.clip_mask, _mm512_load_ps(block.sums),
                    _mm512_load_ps(block.sums + 256));
    block.output += args.output_stride;
    if (block.clip_mask != nullptr) block.clip_mask += args.columns / 8;
    block.sums += --block.rows_left == 16 ? 16 + 256 : 16;
  }
}

/// Writes a block that the region cuts, or whose mask bits are not whole bytes.
void write_partial_block(const GemmBf16Args& args, const GemmRegion& region, std::int64_t row,
                         std::int64_t column, const float* sums) {
  const std::int64_t rows = std::min<std::int64_t>(32, region.row_end - row);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = sums + r / 16 * 512 + r % 16 * 16;
    store_sums(args, row + r, column, region.column_end, _mm512_load_ps(from));
    store_sums(args, row + r, column + 16, region.column_end, _mm512_load_ps(from + 256));
  }
}

FinishedBlock finished(const GemmBf16Args& args, const GemmRegion& region, std::int64_t row,
                       std::int64_t column, const float* sums) {
  const bool is_whole = row + 32 <= region.row_end && column + 32 <= region.column_end &&
                        (args.clip_mask == nullptr || args.columns % 8 == 0);
  if (!is_whole) {
    write_partial_block(args, region, row, column, sums);
    return {};
  }
  const std::uint8_t* mask =
      args.clip_mask == nullptr ? nullptr : args.clip_mask + (row * args.columns + column) / 8;
  return {sums, args.output + row * args.output_stride + column, mask, 32};
}

/// Fetches the columns of b that come next into the second cache, some cache lines a step.
struct Prefetch {
  const Bf16* b;  // first step of the left 16 columns
  std::int64_t right_half, lines_left, lines_per_step;

  void step() {
    for (std::int64_t i = std::min(lines_per_step, lines_left); i > 0; --i, --lines_left, b += 32) {
      __builtin_prefetch(b, 0, 2);
      __builtin_prefetch(b + right_half, 0, 2);
    }
  }
};

inline void load_sums(const float* sums, bool is_first) {
  if (is_first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    return;
  }
  _tile_loadd(0, sums, 64);
  _tile_loadd(1, sums + 256, 64);
  _tile_loadd(2, sums + 512, 64);
  _tile_loadd(3, sums + 768, 64);
}

inline void store_sums_of_block(float* sums) {
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + 256, 64);
  _tile_stored(2, sums + 512, 64);
  _tile_stored(3, sums + 768, 64);
}

/// Adds `steps` steps to one block. `half` is the distance of the second 16 rows of a and columns of b. a is
/// read once and must not push b out of the first cache: hence the stream loads.
inline void multiply_block(const GemmBf16Args& args, const Bf16* a, const Bf16* b, std::int64_t half,
                           std::int64_t steps, Prefetch& prefetch, FinishedBlock& waiting) {
  const std::int64_t rows_per_step = steps == 0 ? 0 : (32 + steps - 1) / steps;
  for (std::int64_t step = 0; step < steps; ++step, a += kTile, b += kTile) {
    _tile_loadd(6, b, 64);
    _tile_stream_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + half, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stream_loadd(5, a + half, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    prefetch.step();
    write_rows(args, waiting, std::min(rows_per_step, waiting.rows_left));
  }
  write_rows(args, waiting, waiting.rows_left);
}

/// One call's loops around multiply_block.
struct Multiplication {
  const GemmBf16Args& args;
  const GemmRegion& region;
  std::int64_t steps = padded_bf16(args.depth) / 32;
  std::int64_t chunks = std::max<std::int64_t>(1, (steps + kChunk - 1) / kChunk);
  FinishedBlock waiting{};

  std::int64_t chunk_begin(std::int64_t chunk) const { return steps * chunk / chunks; }

  /// What follows 32 columns of b in one chunk, spread over the `blocks` blocks that use them.
  Prefetch prefetch_after(std::int64_t column, std::int64_t first, std::int64_t last, std::int64_t chunk,
                          std::int64_t blocks) const {
    const std::int64_t half = steps * kTile, uses = blocks * (chunk_begin(chunk + 1) - chunk_begin(chunk));
    std::int64_t next_column = column + 32, next_chunk = chunk;
    if (next_column >= last) {
      next_chunk = (chunk + 1) % chunks;
      next_column = next_chunk == 0 ? last : first;
    }
    if (next_column >= region.column_end || uses == 0) return {args.b, half, 0, 0};
    const std::int64_t begin = chunk_begin(next_chunk), lines = (chunk_begin(next_chunk + 1) - begin) * 16;
    return {args.b + next_column / 16 * half + begin * kTile, half, lines, (lines + uses - 1) / uses};
  }

  /// Rows [row, row_last), columns [column, column_last): at most kBlocks blocks each way, whose sums lie in
  /// `sums`.
  void multiply_area(std::int64_t row, std::int64_t row_last, std::int64_t column, std::int64_t column_last,
                     float* sums) {
    const std::int64_t half = steps * kTile, blocks = (row_last - row + 31) / 32;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t begin = chunk_begin(chunk), count = chunk_begin(chunk + 1) - begin;
      float* block_sums = sums;
      for (std::int64_t c = column; c < column_last; c += 32) {
        Prefetch prefetch = prefetch_after(c, column, column_last, chunk, blocks);
        const Bf16* b = args.b + c / 16 * half + begin * kTile;
        for (std::int64_t r = row; r < row_last; r += 32, block_sums += kBlockSums) {
          load_sums(block_sums, chunk == 0);
          multiply_block(args, args.a + r / 16 * half + begin * kTile, b, half, count, prefetch, waiting);
          store_sums_of_block(block_sums);
          if (chunk + 1 == chunks) waiting = finished(args, region, r, c, block_sums);
        }
      }
    }
  }
};

}  // namespace

void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region) {
  alignas(64) float sums[kBlocks * kBlocks * kBlockSums];
  constexpr std::int64_t kSide = 32 * kBlocks;
  _tile_loadconfig(&tile_config);
  Multiplication multiplication{args, region};
  for (std::int64_t row = region.row_begin; row < region.row_end; row += kSide)
    for (std::int64_t column = region.column_begin; column < region.column_end; column += kSide)
      multiplication.multiply_area(row, std::min(row + kSide, region.row_end), column,
                                   std::min(column + kSide, region.column_end), sums);
  write_rows(args, multiplication.waiting, multiplication.waiting.rows_left);
  _tile_release();
}

}  // namespace samebits::kernels::amx
SAMEBITS_END_TARGET
#endif
