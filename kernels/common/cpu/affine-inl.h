// kernels/common/affine.h for vectors: the formula once for every Highway target. Included by the .cpp files
// that foreach_target compiles, so it has no include guard of the usual kind.
#if defined(SAMEBITS_AFFINE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_AFFINE_INL_H
#undef SAMEBITS_AFFINE_INL_H
#else
#define SAMEBITS_AFFINE_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/common/affine.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 8 lanes fill one byte of a clip mask; 4 (NEON) half of one. Not 16: a division costs the same an element.
using FloatTag = hn::CappedTag<float, 8>;
using Floats = hn::Vec<FloatTag>;
using FloatMask = hn::Mask<FloatTag>;

struct VectorGrid {
  Floats scale, zero_point, qmin, qmax;
};

HWY_INLINE VectorGrid vector_grid(const AffineGrid& grid) {
  const FloatTag f32;
  return {hn::Set(f32, grid.scale), hn::Set(f32, static_cast<float>(grid.zero_point)),
          hn::Set(f32, static_cast<float>(grid.qmin)), hn::Set(f32, static_cast<float>(grid.qmax))};
}

HWY_INLINE Floats grid_position(Floats x, const VectorGrid& grid) {
  return hn::Add(hn::Round(hn::Div(x, grid.scale)), grid.zero_point);
}

HWY_INLINE FloatMask is_clipped(Floats position, const VectorGrid& grid) {
  return hn::Not(hn::And(hn::Ge(position, grid.qmin), hn::Le(position, grid.qmax)));
}

/// The code, still a float.
HWY_INLINE Floats code_at(Floats position, FloatMask is_nan, const VectorGrid& grid) {
  const Floats clamped = hn::Min(hn::Max(position, grid.qmin), grid.qmax);
  return hn::IfThenElse(is_nan, grid.zero_point, clamped);
}

/// Eight mask bits or four, in the low bits.
HWY_INLINE unsigned mask_bits(FloatMask mask) {
  std::uint8_t bits[8];  // StoreMaskBits may write 8 bytes
  hn::StoreMaskBits(FloatTag(), mask, bits);
  return bits[0];
}

HWY_INLINE void store_codes(Floats codes, std::int8_t* to) {
  const hn::Rebind<std::int32_t, FloatTag> i32;
  const hn::Rebind<std::int8_t, FloatTag> i8;
  hn::StoreU(hn::DemoteTo(i8, hn::ConvertTo(i32, codes)), i8, to);
}

/// The first multiple of 8 from `begin` on, or `end`: where whole mask bytes start.
HWY_INLINE std::int64_t aligned_begin(std::int64_t begin, std::int64_t end) {
  const std::int64_t aligned = (begin + 7) / 8 * 8;
  return aligned < end ? aligned : end;
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
