// kernels/observe/min_max.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/observe/cpu/min_max.cpp"
#include "kernels/observe/reference/min_max.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

MinMax min_max(const float* x, std::int64_t begin, std::int64_t end) {
  const hn::ScalableTag<float> f32;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  const auto zero = hn::Zero(f32);
  auto least = hn::Set(f32, std::numeric_limits<float>::infinity());
  auto greatest = hn::Set(f32, -std::numeric_limits<float>::infinity());
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    const auto value = hn::Add(hn::LoadU(f32, x + i), zero);  // -0 becomes +0
    const auto is_nan = hn::IsNaN(value);
    least = hn::IfThenElse(is_nan, least, hn::Min(least, value));
    greatest = hn::IfThenElse(is_nan, greatest, hn::Max(greatest, value));
    nans = hn::Or(nans, is_nan);
  }
  const MinMax body{hn::GetLane(hn::MinOfLanes(f32, least)), hn::GetLane(hn::MaxOfLanes(f32, greatest)),
                    !hn::AllFalse(f32, nans)};
  return merge(body, reference::min_max(x, i, end));
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(min_max, "min_max");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
