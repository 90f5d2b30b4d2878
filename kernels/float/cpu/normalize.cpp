// kernels/float/normalize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/normalize.cpp"
#include "kernels/float/reference/normalize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/float/cpu/rows-inl.h"

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

void normalize_rows(const NormalizeArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row)
    args.is_rms ? Rows<VectorOps>::normalize<true>(args, row) : Rows<VectorOps>::normalize<false>(args, row);
}

/// `count` elements from `first` on.
HWY_INLINE void scale_channels_vector(const ScaleChannelsArgs& args, std::int64_t first, int count,
                                      VectorOps::Float scale, VectorOps::Float bias) {
  using Ops = VectorOps;
  const auto y = Ops::add(Ops::mul(Ops::load(args.x + first, count), scale), bias);
  Ops::store(Formulas<Ops>::number_or_nan(y, y), args.y + first, count);
}

void scale_channels(const ScaleChannelsArgs& args, std::int64_t begin, std::int64_t end) {
  using Ops = VectorOps;
  if (args.inner == 1) {  // channels stand side by side
    for_each_vector_of_rows({1, args.channels}, begin, end, [&](std::int64_t first, std::int64_t, int count) {
      const std::int64_t c = first % args.channels;
      scale_channels_vector(args, first, count, Ops::load(args.scale + c, count),
                            Ops::load(args.bias + c, count));
    });
    return;
  }
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const std::int64_t c = plane % args.channels;
    const auto scale = Ops::set(args.scale[c]), bias = Ops::set(args.bias[c]);
    Rows<Ops>::map(args.inner, [&](std::int64_t i, int count) {
      scale_channels_vector(args, plane * args.inner + i, count, scale, bias);
    });
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(normalize_rows, "normalize_rows");
SAMEBITS_HIGHWAY_KERNEL(scale_channels, "scale_channels");
}  // namespace samebits::kernels
#endif  // HWY_ONCE
