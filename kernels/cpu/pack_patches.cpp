// kernels/pack_patches.h with Highway: four taps of 32 pixels are loaded as they stand and interleaved into
// the quads of two blocks. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pack_patches.cpp"
#include "kernels/reference/pack_patches.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Not 64: interleaving crosses no 16 bytes, and two of the three shuffle ports of x86 take 32 bytes at most.
using CodeTag = hn::CappedTag<std::int8_t, 32>;
using Codes = hn::Vec<CodeTag>;
constexpr CodeTag i8;

/// One block of 16 pixels to each 16 bytes of a vector.
HWY_INLINE void store_pixels(Codes quads, std::int8_t* to, std::int64_t block_bytes) {
  if constexpr (hn::MaxLanes(i8) == 32) {
    const hn::Half<CodeTag> half;
    hn::StoreU(hn::LowerHalf(half, quads), half, to);
    hn::StoreU(hn::UpperHalf(half, quads), half, to + block_bytes);
  } else {
    hn::StoreU(quads, i8, to);
  }
}

HWY_INLINE void store_quads(Codes tap0, Codes tap1, Codes tap2, Codes tap3, std::int8_t* to,
                            std::int64_t block_bytes) {
  const hn::Repartition<std::int16_t, CodeTag> i16;
  const auto low01 = hn::BitCast(i16, hn::InterleaveLower(i8, tap0, tap1));
  const auto low23 = hn::BitCast(i16, hn::InterleaveLower(i8, tap2, tap3));
  const auto high01 = hn::BitCast(i16, hn::InterleaveUpper(i8, tap0, tap1));
  const auto high23 = hn::BitCast(i16, hn::InterleaveUpper(i8, tap2, tap3));
  store_pixels(hn::BitCast(i8, hn::InterleaveLower(i16, low01, low23)), to, block_bytes);
  store_pixels(hn::BitCast(i8, hn::InterleaveUpper(i16, low01, low23)), to + 16, block_bytes);
  store_pixels(hn::BitCast(i8, hn::InterleaveLower(i16, high01, high23)), to + 32, block_bytes);
  store_pixels(hn::BitCast(i8, hn::InterleaveUpper(i16, high01, high23)), to + 48, block_bytes);
}

template <bool kHasBorder>
HWY_INLINE Codes load_tap(const PackPatchesArgs& args, const PatchTap& tap, std::int64_t pixel,
                          Codes border) {
  const Codes codes = hn::LoadU(i8, args.x + tap.x + pixel);
  if constexpr (!kHasBorder) return codes;
  const auto* inside = reinterpret_cast<const std::int8_t*>(args.inside + tap.inside + pixel);
  return hn::IfVecThenElse(hn::LoadU(i8, inside), codes, border);
}

template <bool kHasBorder>
HWY_INLINE void pack(const PackPatchesArgs& args, std::int64_t n) {
  const auto depth = static_cast<std::int64_t>(args.taps.size());
  const PatchTap* taps = args.taps.data();
  const Codes border = hn::Set(i8, args.border), zero = hn::Zero(i8);
  for (std::int64_t pixel = 0; pixel < padded_pixels(n); pixel += static_cast<std::int64_t>(hn::Lanes(i8))) {
    std::int8_t* to = args.packed + pixel / 16 * args.block_bytes;
    std::int64_t k = 0;
    for (; k + 4 <= depth; k += 4, to += 64)
      store_quads(load_tap<kHasBorder>(args, taps[k], pixel, border),
                  load_tap<kHasBorder>(args, taps[k + 1], pixel, border),
                  load_tap<kHasBorder>(args, taps[k + 2], pixel, border),
                  load_tap<kHasBorder>(args, taps[k + 3], pixel, border), to, args.block_bytes);
    if (k == depth) continue;
    const Codes tap0 = load_tap<kHasBorder>(args, taps[k], pixel, border);
    const Codes tap1 = k + 1 < depth ? load_tap<kHasBorder>(args, taps[k + 1], pixel, border) : zero;
    const Codes tap2 = k + 2 < depth ? load_tap<kHasBorder>(args, taps[k + 2], pixel, border) : zero;
    store_quads(tap0, tap1, tap2, zero, to, args.block_bytes);
  }
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
namespace {
constexpr Implementation<decltype(pack_patches)> list[] = SAMEBITS_IMPLEMENTATIONS(pack_patches);
}  // namespace

std::span<const Implementation<decltype(pack_patches)>> pack_patches_implementations() {
  return list;
}

void pack_patches(const PackPatchesArgs& args, std::int64_t n) {
  static const auto& chosen = first_usable(pack_patches_implementations());
  chosen.run(args, n);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
