// kernels/float/scalar_ops.h for the vectors of one Highway target, and the formulas over them.
#if defined(SAMEBITS_VECTOR_OPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_VECTOR_OPS_INL_H
#undef SAMEBITS_VECTOR_OPS_INL_H
#else
#define SAMEBITS_VECTOR_OPS_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/float/function.h"
#include "kernels/float/scalar_ops.h"

/// Whether a list names this target. The others have no fused multiply-add: hn::MulAdd would round twice.
#undef SAMEBITS_HAS_VECTOR_OPS
#define SAMEBITS_HAS_VECTOR_OPS (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON)

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct VectorOps {
  using Tag = hn::ScalableTag<float>;
  using Float = hn::Vec<Tag>;
  using Mask = hn::Mask<Tag>;
  using BitsTag = hn::RebindToUnsigned<Tag>;
  using IntTag = hn::RebindToSigned<Tag>;
  static constexpr int kLanes = hn::MaxLanes(Tag());
  static_assert(HWY_NATIVE_FMA);

  template <class Any>  // these two are for fold() too, whose vectors are shorter
  SAMEBITS_INLINE static Any add(Any a, Any b) {
    return hn::Add(a, b);
  }
  template <class Any>
  SAMEBITS_INLINE static Any max(Any a, Any b) {
    return hn::Max(a, b);
  }
  SAMEBITS_INLINE static Float set(float a) { return hn::Set(Tag(), a); }
  SAMEBITS_INLINE static Float min(Float a, Float b) { return hn::Min(a, b); }
  SAMEBITS_INLINE static Float sub(Float a, Float b) { return hn::Sub(a, b); }
  SAMEBITS_INLINE static Float mul(Float a, Float b) { return hn::Mul(a, b); }
  SAMEBITS_INLINE static Float div(Float a, Float b) { return hn::Div(a, b); }
  SAMEBITS_INLINE static Float sqrt(Float a) { return hn::Sqrt(a); }
  SAMEBITS_INLINE static Float fma(Float a, Float b, Float c) { return hn::MulAdd(a, b, c); }
  SAMEBITS_INLINE static Float nfma(Float a, Float b, Float c) { return hn::NegMulAdd(a, b, c); }
  SAMEBITS_INLINE static Mask less(Float a, Float b) { return hn::Lt(a, b); }
  SAMEBITS_INLINE static Mask is_number(Float a) { return hn::Eq(a, a); }
  SAMEBITS_INLINE static Float select(Mask mask, Float yes, Float no) {
    return hn::IfThenElse(mask, yes, no);
  }
  SAMEBITS_INLINE static Float abs(Float a) { return hn::Abs(a); }
  SAMEBITS_INLINE static Float with_sign(Float magnitude, Float sign) {
    return hn::CopySignToAbs(magnitude, sign);
  }
  SAMEBITS_INLINE static Float exponent(Float sum) {
    return hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::BitCast(BitsTag(), sum)));
  }
  SAMEBITS_INLINE static void split_exponent(Float sum, Float& a, Float& b) {
    const auto bits = hn::BitCast(BitsTag(), sum), half = hn::ShiftRight<1>(bits);
    a = hn::BitCast(Tag(), hn::ShiftLeft<23>(half));
    b = hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::Sub(bits, half)));
  }
  SAMEBITS_INLINE static Float significand(Float x, Float& n) {
    const auto bits = hn::BitCast(IntTag(), x);
    const auto power = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(IntTag(), 0x3F3504F3)));
    n = hn::ConvertTo(Tag(), power);
    return hn::BitCast(Tag(), hn::Sub(bits, hn::ShiftLeft<23>(power)));
  }

  /// Elsewhere Highway 1.0.3 may touch what lies behind the last lane.
  static constexpr bool kHasMaskedAccess = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2;
  SAMEBITS_INLINE static Mask first(int count) { return hn::FirstN(Tag(), static_cast<std::size_t>(count)); }
  /// `count` floats, at most kLanes; the other lanes are `fill`.
  SAMEBITS_INLINE static Float load(const float* from, int count = kLanes, float fill = 0.0f) {
    if (count == kLanes) return hn::LoadU(Tag(), from);
    if constexpr (kHasMaskedAccess)
      return hn::IfThenElse(first(count), hn::MaskedLoad(first(count), Tag(), from), set(fill));
    float lanes[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = lane < count ? from[lane] : fill;
    return hn::LoadU(Tag(), lanes);
  }
  SAMEBITS_INLINE static void store(Float a, float* to, int count = kLanes) {
    if (count == kLanes) return hn::StoreU(a, Tag(), to);
    if constexpr (kHasMaskedAccess) return hn::BlendedStore(a, first(count), Tag(), to);
    float lanes[kLanes];
    hn::StoreU(a, Tag(), lanes);
    for (int lane = 0; lane < count; ++lane) to[lane] = lanes[lane];
  }
  /// The first `count` lanes, and 0.
  SAMEBITS_INLINE static Float keep(Float a, int count) {
    return count == kLanes ? a : hn::IfThenElseZero(first(count), a);
  }
  /// to[row] = value, unless `to` is null.
  SAMEBITS_INLINE static void store_one(float value, float* to, std::int64_t row) {
    if (to != nullptr) to[row] = value;
  }
  /// Lane l takes lane l + half, for half = kLanes / 2, kLanes / 4, ... 1.
  template <class Vector, class Join>
  SAMEBITS_INLINE static float fold(Vector a, Join join) {
    const hn::DFromV<Vector> tag;
    if constexpr (hn::MaxLanes(tag) > 4) {
      const hn::Half<decltype(tag)> half;
      return fold(join(hn::LowerHalf(half, a), hn::UpperHalf(half, a)), join);
    } else {
      const auto pairs = join(a, hn::Shuffle1032(a));
      return hn::GetLane(join(pairs, hn::Shuffle2301(pairs)));
    }
  }
};

#include "kernels/float/formulas-inl.h"

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS
#endif
