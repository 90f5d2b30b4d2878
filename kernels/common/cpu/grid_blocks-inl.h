// The walk over blocks of 16 elements that gives each its grids: one for all lanes where runs are long, one a
// lane where they are short. What is done with a block is the caller's: affine-inl.h has the formula.
// Included by the .cpp files that foreach_target compiles, so it has no include guard of the usual kind.
#if defined(SAMEBITS_GRID_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_GRID_BLOCKS_INL_H
#undef SAMEBITS_GRID_BLOCKS_INL_H
#else
#define SAMEBITS_GRID_BLOCKS_INL_H
#endif

#include <algorithm>
#include <bit>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/common/cpu/affine-inl.h"
#include "kernels/common/grid_table.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Grids of elements that follow each other, one a lane.
struct GridArrays {
  const float* scale;
  const std::int32_t* zero_point;
  std::int32_t qmin, qmax;

  HWY_INLINE VectorGrid<Division> at(std::int64_t offset) const {
    const hn::Rebind<std::int32_t, BlockTag> i32;
    return divided(
        lane_grid(hn::LoadU(BlockTag(), scale + offset), hn::LoadU(i32, zero_point + offset), qmin, qmax));
  }
};

/// The two bytes of the clip mask that belong to the block at element i, from the bits of lanes that are
/// inside.
HWY_INLINE void store_clip_bits(unsigned inside, std::uint8_t* clip_mask, std::int64_t i) {
  static_assert(std::endian::native == std::endian::little);
  const auto clipped = static_cast<std::uint16_t>(~inside);
  std::memcpy(clip_mask + (i >> 3), &clipped, sizeof(clipped));
}

/// The first multiple of 8 from `begin` on, or `end`: where whole mask bytes start.
HWY_INLINE std::int64_t whole_bytes_begin(std::int64_t begin, std::int64_t end) {
  return std::min((begin + 7) / 8 * 8, end);
}

/// [begin, end) on one grid: blocks of 16, the rest by the reference. A `Block` has
///   kMayCorrect: only the rounded quotients count, so that Correction may make them
///   void vectors(i, grids, offset, ordered): the 16 elements from i on, lane l on grids.at(offset + l);
///     lanes that hold a NaN are taken out of `ordered`
///   bool reference(grid, begin, end): any elements on one grid; whether it met a NaN
template <class Block, class Grid>
HWY_INLINE bool walk_one_grid(const Block& block, const Grid& grid, const AffineGrid& scalar_grid,
                              std::int64_t begin, std::int64_t end) {
  std::int64_t i = whole_bytes_begin(begin, end);
  bool saw_nan = begin < i && block.reference(scalar_grid, begin, i);
  BlockMask ordered = all_lanes();
  const Block local = block;  // no store can change it, as nothing else has its address
  for (; i + kBlock <= end; i += kBlock) local.vectors(i, grid, 0, ordered);
  if (i < end) saw_nan |= block.reference(scalar_grid, i, end);
  return saw_nan || !hn::AllTrue(BlockTag(), ordered);
}

template <class Block>
HWY_INLINE bool walk_run(const Block& block, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  if constexpr (Block::kMayCorrect)
    if (has_exact_correction(grid.scale)) return walk_one_grid(block, corrected_grid(grid), grid, begin, end);
  return walk_one_grid(block, divided_grid(grid), grid, begin, end);
}

/// Grids written out, one an element. What is behind the last one is for whole vectors to be written.
struct WrittenGrids {
  static constexpr std::int64_t kCapacity = 2048;
  float scale[kCapacity + kBlock];
  std::int32_t zero_point[kCapacity + kBlock];
};

/// Elements on contiguous grids: element i has grid i % grids.
HWY_INLINE void write_single_grids(const GridTable& table, std::int64_t begin, std::int64_t count,
                                   WrittenGrids& to) {
  const std::int64_t grids = table.grids();
  std::int64_t index = begin % grids;
  for (std::int64_t i = 0; i < count; index = 0) {
    const std::int64_t length = std::min(count - i, grids - index);
    std::copy_n(table.scale + index, length, to.scale + i);
    if (table.zero_point != nullptr) std::copy_n(table.zero_point + index, length, to.zero_point + i);
    i += length;
  }
}

/// The grids of elements [begin, begin + count), count <= kCapacity.
HWY_INLINE void write_grids(const GridTable& table, std::int64_t begin, std::int64_t count,
                            WrittenGrids& to) {
  if (table.zero_point == nullptr) std::fill_n(to.zero_point, count, 0);
  if (table.row_length == 1 || table.group_size == 1) return write_single_grids(table, begin, count, to);
  const BlockTag f32;
  const hn::Rebind<std::int32_t, BlockTag> i32;
  // A vector may reach into the next run, which is written after it.
  for (GridRuns runs(table, begin, begin + count); !runs.done(); runs.next()) {
    const auto scale = hn::Set(f32, table.scale[runs.index()]);
    for (std::int64_t i = runs.first(); i < runs.last(); i += kBlockLanes)
      hn::StoreU(scale, f32, to.scale + (i - begin));
    if (table.zero_point == nullptr) continue;
    const auto zero_point = hn::Set(i32, table.zero_point[runs.index()]);
    for (std::int64_t i = runs.first(); i < runs.last(); i += kBlockLanes)
      hn::StoreU(zero_point, i32, to.zero_point + (i - begin));
  }
}

/// [begin, end) on short runs, `begin` a multiple of 8: the grids of many elements are written out first. A
/// pattern that fits is written once and used for all its repetitions.
template <class Block>
HWY_INLINE bool walk_short_runs(const Block& block, const GridTable& table, std::int64_t begin,
                                std::int64_t end) {
  // Element i + period is on the grid of element i.
  const std::int64_t period = table.rows * table.row_length;
  const bool repeats = period + kBlock <= WrittenGrids::kCapacity;
  WrittenGrids written;
  const GridArrays arrays{written.scale, written.zero_point, table.qmin, table.qmax};
  const Block local = block;
  BlockMask ordered = all_lanes();
  std::int64_t count = 0, offset = 0;
  for (std::int64_t i = begin; i + kBlock <= end; i += kBlock, offset += kBlock) {
    if (offset + kBlock > count) {
      if (count > 0 && repeats) {
        offset %= period;
      } else {
        count = std::min(WrittenGrids::kCapacity, end - i);
        write_grids(table, i, count, written);
        offset = 0;
      }
    }
    local.vectors(i, arrays, offset, ordered);
  }
  return !hn::AllTrue(BlockTag(), ordered);
}

template <class Block>
HWY_INLINE bool walk_by_reference(const Block& block, const GridTable& table, std::int64_t begin,
                                  std::int64_t end) {
  bool saw_nan = false;
  for (; begin < end; ++begin)
    saw_nan |= block.reference(table.grid(table.index_of(begin)), begin, begin + 1);
  return saw_nan;
}

/// Elements [begin, end) of a table of grids.
template <class Block>
HWY_INLINE bool walk_table(const Block& block, const GridTable& table, std::int64_t begin, std::int64_t end) {
  if (begin >= end) return false;
  if (table.grids() == 1) return walk_run(block, table.grid(0), begin, end);
  const std::int64_t run_length = std::min(table.row_length, table.group_size);
  const bool whole_blocks = table.row_length % kBlock == 0 && run_length % kBlock == 0;
  bool saw_nan = false;
  if (whole_blocks || run_length >= 1024) {
    for (GridRuns runs(table, begin, end); !runs.done(); runs.next())
      saw_nan |= walk_run(block, table.grid(runs.index()), runs.first(), runs.last());
    return saw_nan;
  }
  const std::int64_t first = whole_bytes_begin(begin, end), last = first + (end - first) / kBlock * kBlock;
  saw_nan |= walk_by_reference(block, table, begin, first);
  saw_nan |= walk_short_runs(block, table, first, last);
  saw_nan |= walk_by_reference(block, table, last, end);
  return saw_nan;
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
