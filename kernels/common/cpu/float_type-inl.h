// kernels/common/float_type.h for vectors: 16-bit floats are widened on the way in and rounded on the way
// out. Included by the .cpp files that foreach_target compiles, so it has no include guard of the usual kind.
#if defined(SAMEBITS_FLOAT_TYPE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_FLOAT_TYPE_INL_H
#undef SAMEBITS_FLOAT_TYPE_INL_H
#else
#define SAMEBITS_FLOAT_TYPE_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/common/float_type.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Kernels take blocks of 16 elements, two bytes of a clip mask: one vector of AVX-512, two of AVX2, four of
// NEON.
constexpr std::int64_t kBlock = 16;
using BlockTag = hn::CappedTag<float, kBlock>;
using BlockFloats = hn::Vec<BlockTag>;
using BlockMask = hn::Mask<BlockTag>;
constexpr std::int64_t kBlockLanes = static_cast<std::int64_t>(hn::MaxLanes(BlockTag()));

HWY_INLINE BlockFloats load_floats(const float* from) {
  return hn::LoadU(BlockTag(), from);
}
HWY_INLINE BlockFloats load_floats(const Bfloat16* from) {
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const hn::Rebind<std::uint16_t, BlockTag> u16;
  const auto bits = hn::LoadU(u16, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(BlockTag(), hn::ShiftLeft<16>(hn::PromoteTo(u32, bits)));
}
HWY_INLINE BlockFloats load_floats(const Float16* from) {
  const hn::Rebind<hwy::float16_t, BlockTag> f16;
  const hn::Rebind<std::uint16_t, BlockTag> u16;
  const auto bits = hn::LoadU(u16, reinterpret_cast<const std::uint16_t*>(from));
  return hn::PromoteTo(BlockTag(), hn::BitCast(f16, bits));
}

HWY_INLINE void store_floats(BlockFloats values, float* to) {
  hn::StoreU(values, BlockTag(), to);
}
/// `values` has no NaN. By integers: Highway's own conversion cuts off the lower half.
HWY_INLINE void store_floats(BlockFloats values, Bfloat16* to) {
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const auto bits = hn::BitCast(u32, values);
  const auto is_odd = hn::TestBit(bits, hn::Set(u32, 0x10000));
  const auto half_a_unit =
      hn::IfThenElse(is_odd, hn::Set(u32, 0x8000), hn::Set(u32, 0x7FFF));  // down at an even tie
  const auto rounded = hn::Add(bits, half_a_unit);
  auto* upper_halves = reinterpret_cast<std::uint16_t*>(to);
  const hn::Repartition<std::uint16_t, BlockTag> halves;
  const hn::Half<decltype(halves)> upper;
  const auto both = hn::BitCast(halves, rounded);
  hn::StoreU(hn::LowerHalf(upper, hn::ConcatOdd(halves, both, both)), upper, upper_halves);
}
HWY_INLINE void store_floats(BlockFloats values, Float16* to) {
  const hn::Rebind<hwy::float16_t, BlockTag> f16;
  const hn::Rebind<std::uint16_t, BlockTag> u16;
  hn::StoreU(hn::BitCast(u16, hn::DemoteTo(f16, values)), u16, reinterpret_cast<std::uint16_t*>(to));
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
