// kernels/common/chunked_sum.h for vectors: 16 lane sums in as many double vectors as that takes.
#if defined(SAMEBITS_CHUNKED_SUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_CHUNKED_SUM_INL_H
#undef SAMEBITS_CHUNKED_SUM_INL_H
#else
#define SAMEBITS_CHUNKED_SUM_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/common/chunked_sum.h"
#include "kernels/common/cpu/float_type-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using DoubleTag = hn::CappedTag<double, 8>;
using Doubles = hn::Vec<DoubleTag>;

// A vector of floats is two vectors of doubles.
constexpr int kFloatLanes = static_cast<int>(kBlockLanes), kDoubleLanes = hn::MaxLanes(DoubleTag());
constexpr int kParts = kFloatLanes / kDoubleLanes;
constexpr int kFloatVectors = kSumLanes / kFloatLanes;  // float vectors that feed each lane once

/// Part `part` of x, exact.
template <class Vector>
HWY_INLINE Doubles promote_part(Vector x, [[maybe_unused]] int part) {
  const DoubleTag f64;
  if constexpr (kParts == 1) {
    return hn::PromoteTo(f64, x);
  } else {
    const hn::Half<BlockTag> half;
    return hn::PromoteTo(f64, part == 0 ? hn::LowerHalf(half, x) : hn::UpperHalf(half, x));
  }
}

struct VectorLaneSums {
  static constexpr int kVectors = kFloatVectors * kParts;
  Doubles lanes[kVectors];

  HWY_INLINE VectorLaneSums() {
    for (Doubles& lane : lanes) lane = hn::Zero(DoubleTag());
  }

  /// Adds part `part` of float vector `vector` of 16 elements.
  HWY_INLINE void add(int vector, int part, Doubles terms) {
    Doubles& lane = lanes[vector * kParts + part];
    lane = hn::Add(lane, terms);
  }

  HWY_INLINE LaneSums store() const {
    LaneSums sums;
    for (int i = 0; i < kVectors; ++i) hn::StoreU(lanes[i], DoubleTag(), sums.lanes + i * kDoubleLanes);
    return sums;
  }

  /// store().fold(), faster: whole vectors first.
  HWY_INLINE double fold() const {
    Doubles rest[kVectors / 2];
    for (int i = 0; i < kVectors / 2; ++i) rest[i] = hn::Add(lanes[i], lanes[i + kVectors / 2]);
    for (int half = kVectors / 4; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) rest[i] = hn::Add(rest[i], rest[i + half]);
    double last[kDoubleLanes];
    hn::StoreU(rest[0], DoubleTag(), last);
    for (int width = kDoubleLanes / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) last[i] += last[i + width];
    return last[0];
  }
};

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
