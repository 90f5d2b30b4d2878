// The relu mask of a gradient for vectors. Included by the .cpp files that foreach_target compiles.
#if defined(SAMEBITS_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_GRADIENT_INL_H
#undef SAMEBITS_GRADIENT_INL_H
#else
#define SAMEBITS_GRADIENT_INL_H
#endif

#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using GradientTag = hn::CappedTag<float, 16>;
using Gradients = hn::Vec<GradientTag>;

/// `g` with +0 where a mask bit is 1. `mask` holds the bits of 16 columns; g's first one is column `lane`.
HWY_INLINE Gradients masked(Gradients g, const std::uint8_t* mask, std::int64_t lane) {
  std::uint16_t all;
  std::memcpy(&all, mask, sizeof all);
  const std::uint64_t bits = static_cast<std::uint64_t>(all) >> lane;  // LoadMaskBits may read 8 bytes
  return hn::IfThenZeroElse(hn::LoadMaskBits(GradientTag(), reinterpret_cast<const std::uint8_t*>(&bits)), g);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
