// Sums of products of four bytes, one a 32-bit lane, with 4-bit levels on one side: by vpdpbusd where there
// is VNNI, else by 16-bit sums that levels cannot overflow. Included by the .cpp files that foreach_target
// compiles.
#if defined(SAMEBITS_INT4_QUADS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_INT4_QUADS_INL_H
#undef SAMEBITS_INT4_QUADS_INL_H
#else
#define SAMEBITS_INT4_QUADS_INL_H
#endif

#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using IntTag = hn::RebindToSigned<FloatTag>;
using WordTag = hn::RebindToUnsigned<FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Ints = hn::Vec<IntTag>;
using Words = hn::Vec<WordTag>;
constexpr FloatTag f32;
constexpr IntTag i32;
constexpr WordTag u32;

HWY_INLINE std::int64_t lanes() {
  return static_cast<std::int64_t>(hn::Lanes(i32));
}

/// The four codes from `quad` on in every lane.
HWY_INLINE Ints broadcast_quad(const std::int8_t* quad) {
  std::int32_t bytes;
  std::memcpy(&bytes, quad, sizeof bytes);
  return hn::Set(i32, bytes);
}

// Both have: Sum, a register of running sums; kChains, how many of them hide the latency; kLines, how many
// lines of levels one may take up; multiply(sum, levels, codes), levels 0..15; close(sum), the 32-bit sums.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
struct WideningQuads {
  using ShortTag = hn::Repartition<std::int16_t, IntTag>;
  using Sum = hn::Vec<ShortTag>;
  static constexpr int kChains = 1;
  // A pair is at most 2 * 15 * 128 = 3840, eight of them (four lines of two quads) 30720.
  static constexpr std::int64_t kLines = 4;

  static HWY_INLINE Sum zero() { return hn::Zero(ShortTag()); }
  static HWY_INLINE Sum multiply(Sum sum, Words levels, Ints codes) {
#if HWY_TARGET == HWY_AVX3
    return hn::Add(sum, Sum{_mm512_maddubs_epi16(levels.raw, codes.raw)});
#else
    return hn::Add(sum, Sum{_mm256_maddubs_epi16(levels.raw, codes.raw)});
#endif
  }
  static HWY_INLINE Ints close(Sum sum) {
#if HWY_TARGET == HWY_AVX3
    return Ints{_mm512_madd_epi16(sum.raw, _mm512_set1_epi16(1))};
#else
    return Ints{_mm256_madd_epi16(sum.raw, _mm256_set1_epi16(1))};
#endif
  }
};
#elif HWY_TARGET == HWY_NEON
struct WideningQuads {
  using Sum = Ints;
  static constexpr int kChains = 1;
  static constexpr std::int64_t kLines = INT64_MAX / 2;

  static HWY_INLINE Sum zero() { return hn::Zero(i32); }
  static HWY_INLINE Sum multiply(Sum sum, Words levels, Ints codes) {
    const int8x16_t a = vreinterpretq_s8_u32(levels.raw), b = vreinterpretq_s8_s32(codes.raw);
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return Ints{vpadalq_s16(sum.raw, vpaddq_s16(low, high))};  // pairs, at most 3840, then quads
  }
  static HWY_INLINE Ints close(Sum sum) { return sum; }
};
#endif

#if HWY_TARGET == HWY_NEON
struct DotprodQuads {
  using Sum = Ints;
  static constexpr int kChains = 2;
  static constexpr std::int64_t kLines = INT64_MAX / 2;

  static HWY_INLINE Sum zero() { return hn::Zero(i32); }
  /// In assembly, as the intrinsic would need this file compiled for processors that have the instruction.
  static HWY_INLINE Sum multiply(Sum sum, Words levels, Ints codes) {
    __asm__(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.16b"
            : "+w"(sum.raw)
            : "w"(levels.raw), "w"(codes.raw));
    return sum;
  }
  static HWY_INLINE Ints close(Sum sum) { return sum; }
};
#endif

#if HWY_TARGET == HWY_AVX3
struct VnniQuads {
  using Sum = Ints;
  static constexpr int kChains = 2;
  static constexpr std::int64_t kLines = INT64_MAX / 2;

  static HWY_INLINE Sum zero() { return hn::Zero(i32); }
  /// In assembly: GCC 12 copies and spills the accumulators of the intrinsic.
  static HWY_INLINE Sum multiply(Sum sum, Words levels, Ints codes) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(levels.raw), "v"(codes.raw));
    return sum;
  }
  static HWY_INLINE Ints close(Sum sum) { return sum; }
};
#endif

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
