// For many rows on AVX-512: levels unpacked once into quads of centered codes (level - zero, which fit int8),
// and the sums that cancel the zero point of a. Included by the .cpp files that foreach_target compiles.
#if defined(SAMEBITS_INT4_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_INT4_PANEL_INL_H
#undef SAMEBITS_INT4_PANEL_INL_H
#else
#define SAMEBITS_INT4_PANEL_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/gemm_int4.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// The zero level of each column's quad.
HWY_INLINE Words zero_quads(const PackedInt4& b, std::int64_t term) {
  const hn::Rebind<std::uint8_t, WordTag> u8;
  const auto zero =
      b.zero_level == nullptr ? hn::Set(u32, b.zero) : hn::PromoteTo(u32, hn::LoadU(u8, b.zero_level + term));
  return hn::Mul(zero, hn::Set(u32, 0x01010101u));
}

/// Bytes of the quad [first, first + 4) that lie below `depth`.
HWY_INLINE Words valid_bytes(std::int64_t first, std::int64_t depth) {
  const std::int64_t count = depth - first;
  return hn::Set(u32, count >= 4 ? ~0u : count <= 0 ? 0u : (1u << 8 * count) - 1u);
}

/// A group of a block as `quads` quads, [quads][16][4], 0 past the group's end; quads >= 2 * lines. `start`
/// gets the 16 sums -a_zero times the sum of centered codes. A block past the last one is all 0.
HWY_INLINE void unpack_group(const PackedInt4& b, std::int64_t block, std::int64_t group, std::int64_t quads,
                             std::int32_t a_zero, std::int8_t* panel, std::int32_t* start) {
  const hn::Repartition<std::int8_t, WordTag> i8;
  const bool exists = block < b.shape.blocks();
  const std::int64_t depth = exists ? b.shape.depth_of(group) : 0;
  const std::int64_t lines = (depth + Int4Shape::kLineDepth - 1) / Int4Shape::kLineDepth;
  const std::uint8_t* levels = b.levels + b.shape.line_offset(block, group);
  const auto low_nibbles = hn::Set(u32, 0x0F0F0F0Fu), ones = hn::Set(u32, 0x01010101u);
  const auto zero = exists ? zero_quads(b, b.shape.term_offset(block, group)) : hn::Zero(u32);
  auto sum = hn::Zero(i32);
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto both =
        hn::LoadU(u32, reinterpret_cast<const std::uint32_t*>(levels + line * Int4Shape::kLineBytes));
    Words parts[2] = {hn::And(both, low_nibbles), hn::And(hn::ShiftRight<4>(both), low_nibbles)};
    for (std::int64_t i = 0; i < 2; ++i) {
      auto part = hn::BitCast(u32, hn::Sub(hn::BitCast(i8, parts[i]), hn::BitCast(i8, zero)));
      if (line + 1 == lines) part = hn::And(part, valid_bytes(8 * line + 4 * i, depth));
      hn::StoreU(part, u32, reinterpret_cast<std::uint32_t*>(panel + (2 * line + i) * 64));
      sum = Ints{_mm512_add_epi32(
          sum.raw, _mm512_madd_epi16(_mm512_maddubs_epi16(ones.raw, part.raw), _mm512_set1_epi16(1)))};
    }
  }
  for (std::int64_t quad = 2 * lines; quad < quads; ++quad) hn::StoreU(hn::Zero(i8), i8, panel + quad * 64);
  hn::StoreU(hn::Mul(sum, hn::Set(i32, -a_zero)), i32, start);
}

/// The 16 scales of a group of a block; 0 for a block past the last one.
HWY_INLINE Floats block_scales(const PackedInt4& b, std::int64_t block, std::int64_t group) {
  return block < b.shape.blocks() ? hn::LoadU(f32, b.scale + b.shape.term_offset(block, group))
                                  : hn::Zero(f32);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
