// The formula of kernels/common/affine.h for blocks of 16 elements, and the walk that gives each block its
// grids: one for all lanes where runs are long, one a lane where they are short. Derivation: docs/numerics.md
// §2 and §3. Included by the .cpp files that foreach_target compiles, so it has no include guard of the usual
// kind.
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
#include "kernels/common/cpu/float_type-inl.h"
#include "kernels/common/grid_table.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using BlockInts = hn::Vec<hn::Rebind<std::int32_t, BlockTag>>;

// A float of [2^23, 2^24) counts units: adding this one rounds to an integer, half to even, whose value is
// the difference in bits. Quotients are clamped in that form.
constexpr float kUnits = 0x1.8p23f;
constexpr std::int32_t kUnitsBits = 0x4B400000;

/// A lane's grid. `lowest` and `highest` are kUnits + (qmin - zero_point) and kUnits + (qmax - zero_point).
struct LaneGrid {
  BlockFloats scale, lowest, highest;
  BlockInts zero_point;

  /// By division: exact for every scale.
  HWY_INLINE BlockFloats quotient(BlockFloats x) const { return hn::Div(x, scale); }
  HWY_INLINE const LaneGrid& at(std::int64_t) const { return *this; }
};

HWY_INLINE LaneGrid lane_grid(BlockFloats scale, BlockInts zero_point, std::int32_t qmin, std::int32_t qmax) {
  const BlockTag f32;
  const BlockFloats zero = hn::ConvertTo(f32, zero_point);
  return {scale, hn::Sub(hn::Set(f32, kUnits + static_cast<float>(qmin)), zero),
          hn::Sub(hn::Set(f32, kUnits + static_cast<float>(qmax)), zero), zero_point};
}

HWY_INLINE LaneGrid one_grid(const AffineGrid& grid) {
  const BlockTag f32;
  const hn::Rebind<std::int32_t, BlockTag> i32;
  return {hn::Set(f32, grid.scale), hn::Set(f32, kUnits + static_cast<float>(grid.qmin - grid.zero_point)),
          hn::Set(f32, kUnits + static_cast<float>(grid.qmax - grid.zero_point)),
          hn::Set(i32, grid.zero_point)};
}

/// One grid whose quotients are x times the reciprocal, corrected: the same integers after rounding
/// (docs/numerics.md §3) for scales that has_exact_correction allows, at two thirds of the time.
struct CorrectedGrid : LaneGrid {
  BlockFloats reciprocal;

  HWY_INLINE BlockFloats quotient(BlockFloats x) const {
    const BlockTag f32;
    // Far outside every range of codes, and finite: the residual of an infinity would be NaN.
    const BlockFloats far = hn::Set(f32, 1024.0f);
    const BlockFloats near = hn::Min(hn::Max(hn::Mul(x, reciprocal), hn::Neg(far)), far);
    const BlockFloats residual = hn::NegMulAdd(near, scale, x);  // fused: exact
    return hn::MulAdd(residual, reciprocal, near);
  }
  HWY_INLINE const CorrectedGrid& at(std::int64_t) const { return *this; }
};

HWY_INLINE bool has_exact_correction(float scale) {
  return scale >= 0x1p-101f && scale <= 0x1p126f;
}

HWY_INLINE CorrectedGrid corrected_grid(const AffineGrid& grid) {
  return {one_grid(grid), hn::Set(BlockTag(), 1.0f / grid.scale)};
}

/// Grids of elements that follow each other, one a lane.
struct GridArrays {
  const float* scale;
  const std::int32_t* zero_point;
  std::int32_t qmin, qmax;

  HWY_INLINE LaneGrid at(std::int64_t offset) const {
    const hn::Rebind<std::int32_t, BlockTag> i32;
    return lane_grid(hn::LoadU(BlockTag(), scale + offset), hn::LoadU(i32, zero_point + offset), qmin, qmax);
  }
};

/// What a value became. `units`: kUnits + code - zero_point; any number for NaN.
struct Rounded {
  BlockFloats units;
  BlockMask inside, ordered;  // inside: neither clipped nor NaN; ordered: not NaN
};

HWY_INLINE Rounded round_to_grid(BlockFloats quotient, const LaneGrid& grid) {
  const BlockFloats rounded = hn::Add(quotient, hn::Set(BlockTag(), kUnits));
  const BlockFloats clamped = hn::Min(hn::Max(rounded, grid.lowest), grid.highest);
  return {clamped, hn::Eq(rounded, clamped), hn::Eq(quotient, quotient)};
}

/// The codes of rounded values, that of the real 0 for NaN.
HWY_INLINE void store_codes(const Rounded& rounded, const LaneGrid& grid, std::int8_t* to) {
  const hn::Rebind<std::int32_t, BlockTag> i32;
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const hn::Rebind<std::uint8_t, BlockTag> u8;
  const auto nearest =
      hn::Add(hn::BitCast(i32, rounded.units), hn::Sub(grid.zero_point, hn::Set(i32, kUnitsBits)));
  const auto codes = hn::IfThenElse(hn::RebindMask(i32, rounded.ordered), nearest, grid.zero_point);
  // In two's complement a code is the lowest byte.
  hn::StoreU(hn::TruncateTo(u8, hn::BitCast(u32, codes)), u8, reinterpret_cast<std::uint8_t*>(to));
}

HWY_INLINE BlockMask all_lanes() {
  return hn::FirstN(BlockTag(), static_cast<std::size_t>(kBlockLanes));
}

/// The bits of a mask of at most 16 lanes, lane 0 lowest.
template <class Tag>
HWY_INLINE unsigned mask_bits(Tag tag, hn::Mask<Tag> mask) {
  std::uint8_t bytes[8] = {};  // StoreMaskBits may write 8 bytes
  hn::StoreMaskBits(tag, mask, bytes);
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return bits;
}

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

/// [begin, end) on one grid: blocks of 16, the rest by the reference. A `Kernel` has
/// kMayCorrect: only the rounded quotients count, so that CorrectedGrid may make them; and
///   void block(i, grids, offset, ordered)   the 16 elements from i on, lane l on grids.at(offset + l); adds
///   to nans lanes of NaNs bool reference(grid, begin, end)           any elements on one grid; whether it
///   met a NaN
template <class Kernel, class Grid>
HWY_INLINE bool walk_one_grid(const Kernel& kernel, const Grid& grid, const AffineGrid& scalar_grid,
                              std::int64_t begin, std::int64_t end) {
  std::int64_t i = whole_bytes_begin(begin, end);
  bool saw_nan = begin < i && kernel.reference(scalar_grid, begin, i);
  BlockMask ordered = all_lanes();
  const Kernel local = kernel;  // no store can change it, as nothing else has its address
  for (; i + kBlock <= end; i += kBlock) local.block(i, grid, 0, ordered);
  if (i < end) saw_nan |= kernel.reference(scalar_grid, i, end);
  return saw_nan || !hn::AllTrue(BlockTag(), ordered);
}

template <class Kernel>
HWY_INLINE bool walk_run(const Kernel& kernel, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  if constexpr (Kernel::kMayCorrect)
    if (has_exact_correction(grid.scale))
      return walk_one_grid(kernel, corrected_grid(grid), grid, begin, end);
  return walk_one_grid(kernel, one_grid(grid), grid, begin, end);
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
template <class Kernel>
HWY_INLINE bool walk_short_runs(const Kernel& kernel, const GridTable& table, std::int64_t begin,
                                std::int64_t end) {
  const std::int64_t period =
      table.rows * table.row_length;  // element i + period is on the grid of element i
  const bool repeats = period + kBlock <= WrittenGrids::kCapacity;
  WrittenGrids written;
  const GridArrays arrays{written.scale, written.zero_point, table.qmin, table.qmax};
  const Kernel local = kernel;
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
    local.block(i, arrays, offset, ordered);
  }
  return !hn::AllTrue(BlockTag(), ordered);
}

template <class Kernel>
HWY_INLINE bool walk_by_reference(const Kernel& kernel, const GridTable& table, std::int64_t begin,
                                  std::int64_t end) {
  bool saw_nan = false;
  for (; begin < end; ++begin)
    saw_nan |= kernel.reference(table.grid(table.index_of(begin)), begin, begin + 1);
  return saw_nan;
}

/// Elements [begin, end) of a table of grids.
template <class Kernel>
HWY_INLINE bool walk_table(const Kernel& kernel, const GridTable& table, std::int64_t begin,
                           std::int64_t end) {
  if (begin >= end) return false;
  if (table.grids() == 1) return walk_run(kernel, table.grid(0), begin, end);
  const std::int64_t run_length = std::min(table.row_length, table.group_size);
  const bool whole_blocks = table.row_length % kBlock == 0 && run_length % kBlock == 0;
  bool saw_nan = false;
  if (whole_blocks || run_length >= 1024) {
    for (GridRuns runs(table, begin, end); !runs.done(); runs.next())
      saw_nan |= walk_run(kernel, table.grid(runs.index()), runs.first(), runs.last());
    return saw_nan;
  }
  const std::int64_t first = whole_bytes_begin(begin, end), last = first + (end - first) / kBlock * kBlock;
  saw_nan |= walk_by_reference(kernel, table, begin, first);
  saw_nan |= walk_short_runs(kernel, table, first, last);
  saw_nan |= walk_by_reference(kernel, table, last, end);
  return saw_nan;
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
