// kernels/formats/fake_quantize_small_float.h with Highway. This file is compiled once for every instruction
// set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formats/cpu/fake_quantize_small_float.cpp"
#include "kernels/formats/reference/fake_quantize_small_float.h"

#include <algorithm>
#include <limits>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/formats/cpu/small_float-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <class Stored>
struct SmallFloatBlock {
  static constexpr bool kMayCorrect = false;  // a corrected quotient may lie on the other side of a tie
  SmallFloatArgs args;
  SmallFloat scalar_format;
  Overflow overflow;
  VectorFormat format;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask& ordered) const {
    const BlockTag f32;
    const BlockIntTag i32;
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const auto v = grid.quotient(load_floats(static_cast<const Stored*>(args.x) + i + lane));
      const Encoded encoded = encode_small_float(v, format);
      const auto y = hn::IfThenElse(encoded.is_nan, format.nan_value, hn::Mul(encoded.value, grid.scale));
      const auto code = hn::IfThenElse(hn::RebindMask(i32, encoded.is_nan), format.nan_code, encoded.code);
      // kNaNBits is the one NaN that rounding to 16 bits by a carry leaves alone.
      if (args.y != nullptr) store_floats(y, static_cast<Stored*>(args.y) + i + lane);
      if (args.codes != nullptr) store_bytes(code, args.codes + i + lane);
      inside |= mask_bits(f32, hn::Not(encoded.clipped)) << lane;
      ordered = hn::And(ordered, hn::Not(encoded.is_nan));
    }
    if (args.clip_mask != nullptr) store_clip_bits(inside, args.clip_mask, i);
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    return reference::fake_quantize_small_float_run(args, scalar_format, overflow, grid.scale, begin, end);
  }
};

bool fake_quantize_small_float(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                               const GridTable& table, std::int64_t begin, std::int64_t end) {
  const GridTable scales = scales_of(table);
  const VectorFormat vectors = vector_format(format, overflow);
  if (args.type == FloatType::kBfloat16)
    return walk_table(SmallFloatBlock<Bfloat16>{args, format, overflow, vectors}, scales, begin, end);
  if (args.type == FloatType::kFloat16)
    return walk_table(SmallFloatBlock<Float16>{args, format, overflow, vectors}, scales, begin, end);
  return walk_table(SmallFloatBlock<float>{args, format, overflow, vectors}, scales, begin, end);
}

void decode_small_float_run(const std::uint8_t* codes, float* y, const SmallFloat& format, float scalar_scale,
                            std::int64_t begin, std::int64_t end) {
  const BlockTag f32;
  const BlockIntTag i32;
  const hn::Rebind<std::uint8_t, BlockTag> u8;
  const int dropped = 23 - format.mantissa_bits,
            sign_shift = 31 - format.exponent_bits - format.mantissa_bits;
  const auto scale = hn::Set(f32, scalar_scale);
  const auto unit = hn::Set(f32, decode_small_float(1, format));
  const auto nan = hn::Set(f32, float_of_bits(kNaNBits)), infinity = hn::Set(f32, float_of_bits(0x7F800000u));
  std::int64_t i = begin;
  for (; i + kBlockLanes <= end; i += kBlockLanes) {
    const auto code = hn::PromoteTo(i32, hn::LoadU(u8, codes + i));
    const auto magnitude = hn::And(code, hn::Set(i32, format.sign_code() - 1));
    const auto sign = hn::ShiftLeftSame(hn::And(code, hn::Set(i32, format.sign_code())), sign_shift);
    const auto rebias = hn::Set(i32, (127 - format.bias) << 23);
    const auto normal = hn::BitCast(f32, hn::Add(hn::ShiftLeftSame(magnitude, dropped), rebias));
    const auto subnormal = hn::Mul(hn::ConvertTo(f32, magnitude), unit);
    const auto is_subnormal = hn::Lt(magnitude, hn::Set(i32, 1 << format.mantissa_bits));
    const auto is_infinity = hn::And(hn::Eq(magnitude, hn::Set(i32, format.infinity_code)),
                                     hn::Gt(magnitude, hn::Set(i32, format.largest_code)));
    const auto is_nan = hn::AndNot(is_infinity, hn::Gt(magnitude, hn::Set(i32, format.largest_code)));
    const auto finite = hn::IfThenElse(hn::RebindMask(f32, is_subnormal), subnormal, normal);
    const auto value = hn::IfThenElse(hn::RebindMask(f32, is_infinity), infinity, finite);
    const auto real = hn::Mul(hn::Or(value, hn::BitCast(f32, sign)), scale);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(f32, is_nan), nan, real), f32, y + i);
  }
  reference::decode_small_float_run(codes, y, format, scalar_scale, i, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(fake_quantize_small_float, "fake_quantize_float");

SAMEBITS_HIGHWAY_KERNEL(decode_small_float_run, "decode_float");

float small_float_scale(const SmallFloat& format, float amax) {
  if (amax == 0.0f) return 1.0f;
  return std::max(amax / decode_small_float(static_cast<std::uint8_t>(format.largest_code), format),
                  kMinScale);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
