// kernels/conv/pack_patches.h with Highway: four taps of 32 pixels are loaded as they stand and interleaved
// into the quads of two blocks. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/pack_patches.cpp"
#include "kernels/conv/reference/pack_patches.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Each 16 bytes of a vector are pixels of another block. One block's line of memory is written at a time:
/// stores to the same line leave the processor in pairs.
template <class CodeTag, class Codes = hn::Vec<CodeTag>>
HWY_INLINE void store_pixels(CodeTag i8, Codes pixels0, Codes pixels4, Codes pixels8, Codes pixels12,
                             std::int8_t* to, std::int64_t block_bytes) {
  if constexpr (hn::MaxLanes(i8) > 16) {
    const hn::Half<CodeTag> half;
    const auto half_blocks = static_cast<std::int64_t>(hn::Lanes(half)) / 16;
    store_pixels(half, hn::LowerHalf(half, pixels0), hn::LowerHalf(half, pixels4),
                 hn::LowerHalf(half, pixels8), hn::LowerHalf(half, pixels12), to, block_bytes);
    store_pixels(half, hn::UpperHalf(half, pixels0), hn::UpperHalf(half, pixels4),
                 hn::UpperHalf(half, pixels8), hn::UpperHalf(half, pixels12), to + half_blocks * block_bytes,
                 block_bytes);
  } else {
    hn::StoreU(pixels0, i8, to);
    hn::StoreU(pixels4, i8, to + 16);
    hn::StoreU(pixels8, i8, to + 32);
    hn::StoreU(pixels12, i8, to + 48);
  }
}

template <class CodeTag, class Codes = hn::Vec<CodeTag>>
HWY_INLINE void store_quads(CodeTag i8, Codes tap0, Codes tap1, Codes tap2, Codes tap3, std::int8_t* to,
                            std::int64_t block_bytes) {
  const hn::Repartition<std::int16_t, CodeTag> i16;
  const auto low01 = hn::BitCast(i16, hn::InterleaveLower(i8, tap0, tap1));
  const auto low23 = hn::BitCast(i16, hn::InterleaveLower(i8, tap2, tap3));
  const auto high01 = hn::BitCast(i16, hn::InterleaveUpper(i8, tap0, tap1));
  const auto high23 = hn::BitCast(i16, hn::InterleaveUpper(i8, tap2, tap3));
  store_pixels(i8, hn::BitCast(i8, hn::InterleaveLower(i16, low01, low23)),
               hn::BitCast(i8, hn::InterleaveUpper(i16, low01, low23)),
               hn::BitCast(i8, hn::InterleaveLower(i16, high01, high23)),
               hn::BitCast(i8, hn::InterleaveUpper(i16, high01, high23)), to, block_bytes);
}

template <bool kHasBorder, class CodeTag>
HWY_INLINE hn::Vec<CodeTag> load_tap(CodeTag i8, const PackPatchesArgs& args, const PatchTap& tap,
                                     std::int64_t pixel) {
  const auto codes = hn::LoadU(i8, args.x + tap.x + pixel);
  if constexpr (!kHasBorder) return codes;
  const auto* inside = reinterpret_cast<const std::int8_t*>(args.inside + tap.inside + pixel);
  return hn::IfVecThenElse(hn::LoadU(i8, inside), codes, hn::Set(i8, args.border));
}

/// As many pixels as CodeTag has lanes.
template <bool kHasBorder, class CodeTag>
HWY_INLINE void pack_vector(CodeTag i8, const PackPatchesArgs& args, std::int64_t pixel) {
  const auto depth = static_cast<std::int64_t>(args.taps.size());
  const auto load = [&](std::int64_t k) HWY_ATTR {
    return k < depth ? load_tap<kHasBorder>(i8, args, args.taps[k], pixel) : hn::Zero(i8);
  };
  std::int8_t* to = args.packed + pixel / 16 * args.block_bytes;
  std::int64_t k = 0;
  for (; k + 4 <= depth; k += 4, to += 64) {
    const PatchTap* taps = args.taps.data() + k;
    store_quads(i8, load_tap<kHasBorder>(i8, args, taps[0], pixel),
                load_tap<kHasBorder>(i8, args, taps[1], pixel),
                load_tap<kHasBorder>(i8, args, taps[2], pixel),
                load_tap<kHasBorder>(i8, args, taps[3], pixel), to, args.block_bytes);
  }
  if (k < depth) store_quads(i8, load(k), load(k + 1), load(k + 2), hn::Zero(i8), to, args.block_bytes);
}

template <bool kHasBorder>
HWY_INLINE void pack(const PackPatchesArgs& args, std::int64_t n) {
  const hn::CappedTag<std::int8_t, 64> wide;
  const hn::CappedTag<std::int8_t, kPatchPixels> narrow;
  const auto wide_lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  const std::int64_t end = padded_pixels(n);
  std::int64_t pixel = 0;
  for (; pixel + wide_lanes <= end; pixel += wide_lanes) pack_vector<kHasBorder>(wide, args, pixel);
  for (; pixel < end; pixel += static_cast<std::int64_t>(hn::Lanes(narrow)))
    pack_vector<kHasBorder>(narrow, args, pixel);
}

void pack_patches(const PackPatchesArgs& args, std::int64_t n) {
  if (args.inside == nullptr) {
    pack<false>(args, n);
  } else {
    pack<true>(args, n);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(pack_patches, "pack_patches");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
