// gemm_int4 for many rows with AMX tiles: the levels of a block are unpacked once for a batch of rows and
// multiplied as signed tiles. Groups: one tile of 16 x 16 sums a group, folded into float totals that stay in
// registers while the next group is multiplied. Without groups: 2 x 2 tiles over the whole depth.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int4/amx.cpp"
#include <algorithm>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/matmul/cpu/int4/finish-inl.h"
#include "kernels/matmul/cpu/int4/kernels.h"
#include "kernels/matmul/cpu/int4/panel-inl.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/cpu/int4/scratch.h"
#include "kernels/matmul/cpu/tile_config.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kColumns = Int4Shape::kColumns, kTileRows = 16;
constexpr std::int64_t kInFlight = 4;          // groups multiplied while as many are folded
constexpr std::int64_t kBatchBytes = 1 << 20;  // of a: half of a usual second-level cache
constexpr std::int64_t kChunkDepth = 1024;     // of a panel: 16 KiB of the first-level cache

// The instructions, by the number of a tile register. In assembly, as intrinsics would need this file
// compiled for AMX.
template <int kTile>
HWY_INLINE void tile_load(const void* from, std::int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
HWY_INLINE void tile_store(void* to, std::int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kSums, int kA, int kB>
HWY_INLINE void tile_multiply() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kA), "i"(kB));
}

/// What one call works in. A group is cut into `steps` tiles of `quads` quads.
struct Work {
  std::int64_t rows, quads, steps, chunk;  // rows of a batch (whole tiles); groups of a chunk
  std::int8_t* a;                          // [rows / 16][groups][steps][16][4 * quads]
  std::int8_t* panel;   // [chunk][steps][quads][16][4], twice of it (two blocks) without groups
  std::int32_t* start;  // [chunk][16], or [2][16]
  std::int32_t* sums;   // [2][4][16][16]
  float* totals;        // [rows][16], with groups

  std::int64_t step_bytes() const { return kTileRows * 4 * quads; }  // of a and of the panel alike
  std::int64_t group_bytes() const { return steps * step_bytes(); }
};

Work make_work(const Int4Shape& shape, std::int64_t rows) {
  Work work{};
  const std::int64_t group_quads = std::max<std::int64_t>(1, 2 * shape.lines());
  work.steps = (group_quads + 15) / 16;
  work.quads = (group_quads + work.steps - 1) / work.steps;
  const std::int64_t tile_bytes = shape.groups() * work.group_bytes();
  const std::int64_t tiles = std::clamp<std::int64_t>(kBatchBytes / tile_bytes / 2 * 2, 4, 16);
  work.rows = std::min(tiles * kTileRows, (rows + 31) / 32 * 32);
  work.chunk = std::clamp<std::int64_t>(kChunkDepth * kColumns / work.group_bytes(), 1, shape.groups());
  cut_scratch([&](ScratchCutter& cutter) {
    work.a = cutter.take<std::int8_t>(work.rows / kTileRows * tile_bytes);
    work.panel = cutter.take<std::int8_t>(std::max<std::int64_t>(2, work.chunk) * work.group_bytes());
    work.start = cutter.take<std::int32_t>(std::max<std::int64_t>(2, work.chunk) * kColumns);
    work.sums = cutter.take<std::int32_t>(2 * kInFlight * kTileRows * kColumns);
    work.totals = cutter.take<float>(work.rows * kColumns);
  });
  return work;
}

/// Rows as tiles; codes past a group's end and rows past the last one are 0.
void copy_rows(const GemmInt4Args& args, const Work& work, std::int64_t row, std::int64_t rows) {
  const Int4Shape& shape = args.b.shape;
  const std::int64_t width = 4 * work.quads;
  for (std::int64_t r = 0; r < work.rows; ++r) {
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      const std::int8_t* from = args.a + (row + r) * args.a_stride + group * shape.depth();
      std::int8_t* to =
          work.a + (r / kTileRows * shape.groups() + group) * work.group_bytes() + r % kTileRows * width;
      const std::int64_t depth = r < rows ? shape.depth_of(group) : 0;
      for (std::int64_t step = 0; step < work.steps; ++step, to += work.step_bytes()) {
        const std::int64_t count = std::clamp<std::int64_t>(depth - step * width, 0, width);
        if (count > 0) std::memcpy(to, from + step * width, static_cast<std::size_t>(count));
        std::memset(to + count, 0, static_cast<std::size_t>(width - count));
      }
    }
  }
}

/// The sums of one row tile and one group of the panel, by tile register kSums, into `to`.
template <int kSums>
HWY_INLINE void multiply_group(const Work& work, const std::int8_t* a, std::int64_t group, std::int32_t* to) {
  constexpr int kA = 4 + kSums % 2, kB = 6 + kSums % 2;
  const std::int64_t step_bytes = work.step_bytes();
  const std::int8_t* panel = work.panel + group * work.group_bytes();
  a += group * work.group_bytes();
  tile_load<kSums>(work.start + group * kColumns, 0);  // the same 16 sums in every row
  for (std::int64_t step = 0; step < work.steps; ++step) {
    tile_load<kA>(a + step * step_bytes, 4 * work.quads);
    tile_load<kB>(panel + step * step_bytes, 64);
    tile_multiply<kSums, kA, kB>();
  }
  tile_store<kSums>(to + kSums * kTileRows * kColumns, 64);
}

/// Up to four groups from `group` on, each by a tile register of its own.
HWY_INLINE void multiply_groups(const Work& work, const std::int8_t* a, std::int64_t group,
                                std::int64_t count, std::int32_t* to) {
  if (count > 0) multiply_group<0>(work, a, group, to);
  if (count > 1) multiply_group<1>(work, a, group + 1, to);
  if (count > 2) multiply_group<2>(work, a, group + 2, to);
  if (count > 3) multiply_group<3>(work, a, group + 3, to);
}

HWY_INLINE void fold_group(const std::int32_t* sums, Floats scale, Floats (&totals)[kTileRows]) {
  for (std::int64_t r = 0; r < kTileRows; ++r)
    totals[r] = hn::Add(totals[r], hn::Mul(hn::ConvertTo(f32, hn::Load(i32, sums + r * kColumns)), scale));
}

/// Groups [first, first + count), which the panel holds, of one row tile. Adds to totals[16][16].
void multiply_tile(const PackedInt4& b, const Work& work, std::int64_t tile, std::int64_t block,
                   std::int64_t first, std::int64_t count) {
  float* memory = work.totals + tile * kTileRows * kColumns;
  const std::int8_t* a = work.a + (tile * b.shape.groups() + first) * work.group_bytes();
  std::int32_t* sums[2] = {work.sums, work.sums + kInFlight * kTileRows * kColumns};
  Floats totals[kTileRows];
  for (std::int64_t r = 0; r < kTileRows; ++r)
    totals[r] = first == 0 ? hn::Zero(f32) : hn::Load(f32, memory + r * kColumns);
  for (std::int64_t group = 0; group < count + kInFlight; group += kInFlight) {
    multiply_groups(work, a, group, count - group, sums[0]);
    const std::int64_t before = group - kInFlight;
    for (std::int64_t i = 0; before >= 0 && i < std::min(kInFlight, count - before); ++i)
      fold_group(sums[1] + i * kTileRows * kColumns, block_scales(b, block, first + before + i), totals);
    std::swap(sums[0], sums[1]);
  }
  for (std::int64_t r = 0; r < kTileRows; ++r) hn::Store(totals[r], f32, memory + r * kColumns);
}

/// One block of columns over the whole batch, with groups.
void multiply_grouped_block(const GemmInt4Args& args, const Work& work, std::int64_t row, std::int64_t rows,
                            std::int64_t block) {
  const Int4Shape& shape = args.b.shape;
  for (std::int64_t first = 0; first < shape.groups(); first += work.chunk) {
    const std::int64_t count = std::min(work.chunk, shape.groups() - first);
    const bool is_last = first + count == shape.groups();
    for (std::int64_t i = 0; i < count; ++i)
      unpack_group(args.b, block, first + i, work.steps * work.quads, args.a_zero_point,
                   work.panel + i * work.group_bytes(), work.start + i * kColumns);
    for (std::int64_t r = 0; r < rows; r += kTileRows) {
      const std::int64_t count_rows = std::min(kTileRows, rows - r);
      if (is_last) prefetch_output(args.output, shape.n, row + r, count_rows, block * kColumns);
      multiply_tile(args.b, work, r / kTileRows, block, first, count);
      for (std::int64_t i = r; is_last && i < r + count_rows; ++i)
        finish_sums(args.output, shape.n, row + i, block * kColumns,
                    hn::Mul(hn::Load(f32, work.totals + i * kColumns), hn::Set(f32, args.a_scale)));
    }
  }
}

/// Sums of two row tiles and two blocks over the whole depth, into work.sums: tiles (0, 0), (0, 1), (1, 0),
/// (1, 1).
void multiply_square(const Work& work, const std::int8_t* a) {
  const std::int64_t step_bytes = work.step_bytes(), a_next = work.group_bytes(), width = 4 * work.quads;
  const std::int8_t *left = work.panel, *right = work.panel + work.group_bytes();
  tile_load<0>(work.start, 0);
  tile_load<1>(work.start + kColumns, 0);
  tile_load<2>(work.start, 0);
  tile_load<3>(work.start + kColumns, 0);
  for (std::int64_t step = 0; step < work.steps;
       ++step, a += step_bytes, left += step_bytes, right += step_bytes) {
    tile_load<6>(left, 64);
    tile_load<4>(a, width);
    tile_multiply<0, 4, 6>();
    tile_load<7>(right, 64);
    tile_multiply<1, 4, 7>();
    tile_load<5>(a + a_next, width);
    tile_multiply<2, 5, 6>();
    tile_multiply<3, 5, 7>();
  }
  tile_store<0>(work.sums, 64);
  tile_store<1>(work.sums + 256, 64);
  tile_store<2>(work.sums + 512, 64);
  tile_store<3>(work.sums + 768, 64);
}

/// Two blocks of columns, of which those before block_end are stored, over the whole batch, without groups.
void multiply_plain_blocks(const GemmInt4Args& args, const Work& work, std::int64_t row, std::int64_t rows,
                           std::int64_t block, std::int64_t block_end) {
  for (std::int64_t i = 0; i < 2; ++i)
    unpack_group(args.b, block + i, 0, work.steps * work.quads, args.a_zero_point,
                 work.panel + i * work.group_bytes(), work.start + i * kColumns);
  const std::int64_t blocks = std::min<std::int64_t>(2, block_end - block);
  for (std::int64_t r = 0; r < rows; r += 2 * kTileRows) {
    const std::int64_t count = std::min(2 * kTileRows, rows - r);
    for (std::int64_t i = 0; i < blocks; ++i)
      prefetch_output(args.output, args.b.shape.n, row + r, count, (block + i) * kColumns);
    multiply_square(work, work.a + r / kTileRows * work.group_bytes());
    for (std::int64_t i = 0; i < blocks; ++i) {
      const auto scale = hn::Mul(hn::Set(f32, args.a_scale), block_scales(args.b, block + i, 0));
      for (std::int64_t j = 0; j < count; ++j) {
        const std::int32_t* sums =
            work.sums + ((j / kTileRows * 2 + i) * kTileRows + j % kTileRows) * kColumns;
        finish_sums(args.output, args.b.shape.n, row + r + j, (block + i) * kColumns,
                    hn::Mul(hn::ConvertTo(f32, hn::Load(i32, sums)), scale));
      }
    }
  }
}

}  // namespace

void gemm_int4_amx(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                   std::int64_t column_begin, std::int64_t column_end) {
  const std::int64_t block_end = (column_end + kColumns - 1) / kColumns;
  const Work work = make_work(args.b.shape, row_end - row_begin);
  const TileConfig tiles(kTileRows, static_cast<int>(work.quads));
  for (std::int64_t row = row_begin; row < row_end; row += work.rows) {
    const std::int64_t rows = std::min(work.rows, row_end - row);
    copy_rows(args, work, row, rows);
    std::int64_t block = column_begin / kColumns;
    if (args.b.shape.group_size == 0)
      for (; block < block_end; block += 2) multiply_plain_blocks(args, work, row, rows, block, block_end);
    else
      for (; block < block_end; ++block) multiply_grouped_block(args, work, row, rows, block);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
