// The range of the vectors that a kernel meets on its way (kernels/observe/min_max.h), for every Highway
// target.
#if defined(SAMEBITS_RANGE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_RANGE_INL_H
#undef SAMEBITS_RANGE_INL_H
#else
#define SAMEBITS_RANGE_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/common/cpu/float_type-inl.h"
#include "kernels/observe/min_max.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

struct VectorRange {
  BlockFloats least, greatest;
  BlockMask nans;

  HWY_INLINE VectorRange()
      : least(hn::Set(BlockTag(), std::numeric_limits<float>::infinity())),
        greatest(hn::Set(BlockTag(), -std::numeric_limits<float>::infinity())),
        nans(hn::FirstN(BlockTag(), 0)) {}  // no lane yet

  HWY_INLINE void add(BlockFloats x, BlockMask is_nan) {
    least = hn::IfThenElse(is_nan, least, hn::Min(least, x));
    greatest = hn::IfThenElse(is_nan, greatest, hn::Max(greatest, x));
    nans = hn::Or(nans, is_nan);
  }

  HWY_INLINE MinMax range() const {
    const BlockTag f32;
    // + 0: which of two zeros a processor calls the smaller one must not show.
    return {hn::GetLane(hn::MinOfLanes(f32, least)) + 0.0f, hn::GetLane(hn::MaxOfLanes(f32, greatest)) + 0.0f,
            !hn::AllFalse(f32, nans)};
  }
};

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
