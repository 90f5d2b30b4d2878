// kernels/common/affine.h for vectors: the formula once for every Highway target. A grid's quotients come
// from a policy: a division, or a product that is corrected. Derivation: docs/numerics.md §2 and §3. Included
// by the .cpp files that foreach_target compiles, so it has no include guard of the usual kind.
#if defined(SAMEBITS_AFFINE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_AFFINE_INL_H
#undef SAMEBITS_AFFINE_INL_H
#else
#define SAMEBITS_AFFINE_INL_H
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels/common/affine.h"
#include "kernels/common/cpu/float_type-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using BlockInts = hn::Vec<hn::Rebind<std::int32_t, BlockTag>>;

// A float of [2^23, 2^24) counts units: adding this one rounds to an integer, half to even, whose value is
// the difference in bits. Quotients are clamped in that form.
constexpr float kUnits = 0x1.8p23f;
constexpr std::int32_t kUnitsBits = 0x4B400000;

/// The grid of each lane. `lowest` and `highest` are kUnits + (qmin - zero_point) and kUnits + (qmax -
/// zero_point).
struct LaneGrid {
  BlockFloats scale, lowest, highest;
  BlockInts zero_point;
};

HWY_INLINE LaneGrid lane_grid(BlockFloats scale, BlockInts zero_point, std::int32_t qmin, std::int32_t qmax) {
  const BlockTag f32;
  const BlockFloats zero = hn::ConvertTo(f32, zero_point);
  return {scale, hn::Sub(hn::Set(f32, kUnits + static_cast<float>(qmin)), zero),
          hn::Sub(hn::Set(f32, kUnits + static_cast<float>(qmax)), zero), zero_point};
}

HWY_INLINE LaneGrid lane_grid(const AffineGrid& grid) {
  const hn::Rebind<std::int32_t, BlockTag> i32;
  return lane_grid(hn::Set(BlockTag(), grid.scale), hn::Set(i32, grid.zero_point), grid.qmin, grid.qmax);
}

/// The grid whose codes are those of max(x, 0): none lies below that of the real 0.
HWY_INLINE LaneGrid without_negatives(LaneGrid grid) {
  grid.lowest = hn::Set(BlockTag(), kUnits);
  return grid;
}

/// x / scale by division: exact for every scale.
struct Division {
  HWY_INLINE BlockFloats quotient(BlockFloats x, BlockFloats scale) const { return hn::Div(x, scale); }
};

HWY_INLINE bool has_exact_correction(float scale) {
  return scale >= 0x1p-101f && scale <= 0x1p126f;
}

/// x times the reciprocal, corrected: the same integers after rounding (docs/numerics.md §3) for scales that
/// has_exact_correction allows, at two thirds of the time.
struct Correction {
  BlockFloats reciprocal;

  HWY_INLINE BlockFloats quotient(BlockFloats x, BlockFloats scale) const {
    const BlockTag f32;
    // Far outside every range of codes, and finite: the residual of an infinity would be NaN.
    const BlockFloats far = hn::Set(f32, 1024.0f);
    return corrected(hn::Min(hn::Max(hn::Mul(x, reciprocal), hn::Neg(far)), far), x, scale);
  }
  /// The same codes where x / scale is finite and below 2^126, without the clamp.
  HWY_INLINE BlockFloats finite_quotient(BlockFloats x, BlockFloats scale) const {
    return corrected(hn::Mul(x, reciprocal), x, scale);
  }

 private:
  HWY_INLINE BlockFloats corrected(BlockFloats near, BlockFloats x, BlockFloats scale) const {
    const BlockFloats residual = hn::NegMulAdd(near, scale, x);  // fused: exact
    return hn::MulAdd(residual, reciprocal, near);
  }
};

/// The correction where it is exact, else the division, for code whose size doubles if the choice is made
/// outside of it.
struct CorrectionOrDivision {
  Correction correction;
  bool corrects;

  HWY_INLINE BlockFloats quotient(BlockFloats x, BlockFloats scale) const {
    return corrects ? correction.quotient(x, scale) : Division().quotient(x, scale);
  }
};

/// One grid a lane, and how its quotients are made.
template <class Policy>
struct VectorGrid : LaneGrid, Policy {
  HWY_INLINE BlockFloats quotient(BlockFloats x) const { return Policy::quotient(x, scale); }
  HWY_INLINE const VectorGrid& at(std::int64_t) const { return *this; }
};

HWY_INLINE VectorGrid<Division> divided(const LaneGrid& grid) {
  return {grid, {}};
}
HWY_INLINE VectorGrid<Division> divided_grid(const AffineGrid& grid) {
  return divided(lane_grid(grid));
}
HWY_INLINE Correction correction_of(const AffineGrid& grid) {
  return {hn::Set(BlockTag(), 1.0f / grid.scale)};
}
HWY_INLINE VectorGrid<Correction> corrected_grid(const AffineGrid& grid) {
  return {lane_grid(grid), correction_of(grid)};
}
HWY_INLINE VectorGrid<CorrectionOrDivision> vector_grid(const AffineGrid& grid) {
  return {lane_grid(grid), {correction_of(grid), has_exact_correction(grid.scale)}};
}

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
HWY_INLINE BlockInts codes_of(const Rounded& rounded, const LaneGrid& grid) {
  const hn::Rebind<std::int32_t, BlockTag> i32;
  const auto nearest =
      hn::Add(hn::BitCast(i32, rounded.units), hn::Sub(grid.zero_point, hn::Set(i32, kUnitsBits)));
  return hn::IfThenElse(hn::RebindMask(i32, rounded.ordered), nearest, grid.zero_point);
}

HWY_INLINE void store_codes(BlockInts codes, std::int8_t* to) {
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const hn::Rebind<std::uint8_t, BlockTag> u8;
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

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
