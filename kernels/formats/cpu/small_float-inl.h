// kernels/formats/small_float.h for vectors, in float additions instead of shifts: |v| + 2^23 steps rounds
// to whole steps, and the low bits of the sum are the code. Included by the .cpp files that foreach_target
// compiles.
#if defined(SAMEBITS_SMALL_FLOAT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_SMALL_FLOAT_INL_H
#undef SAMEBITS_SMALL_FLOAT_INL_H
#else
#define SAMEBITS_SMALL_FLOAT_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/formats/small_float.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using BlockIntTag = hn::Rebind<std::int32_t, BlockTag>;

struct VectorFormat {
  BlockFloats largest, limit;  // limit: a power of two that rounds beyond the largest
  BlockFloats overflow_value;  // without the sign
  BlockFloats nan_value;       // what a NaN decodes to
  BlockInts least_exponent;    // bits of the smallest normal value
  BlockInts steps;             // added to the bits of 2^e: 2^23 steps of the values from 2^e on
  BlockInts overflow_code, nan_code;
  BlockMask overflow_is_nan;  // all lanes or none
  int dropped, sign_shift;
};

HWY_INLINE VectorFormat vector_format(const SmallFloat& format, Overflow overflow) {
  const BlockTag f32;
  const BlockIntTag i32;
  const int dropped = 23 - format.mantissa_bits;
  // A negative overflow has the same magnitude; NaN is set apart by overflow_is_nan.
  const float infinity = float_of_bits(0x7F800000u);
  const int code = encode_small_float(infinity, format, overflow);
  const float limit = float_of_bits(static_cast<std::uint32_t>(128 + format.largest_exponent()) << 23);
  const bool overflow_is_nan = overflow == Overflow::kToSpecial && format.infinity_code == 0;
  return {.largest = hn::Set(f32, decode_small_float(static_cast<std::uint8_t>(format.largest_code), format)),
          .limit = hn::Set(f32, limit),
          .overflow_value = hn::Set(f32, decode_small_float(static_cast<std::uint8_t>(code), format)),
          .nan_value = hn::Set(f32, decode_small_float(static_cast<std::uint8_t>(format.nan_code), format)),
          .least_exponent = hn::Set(i32, (128 - format.bias) << 23),
          .steps = hn::Set(i32, dropped << 23),
          .overflow_code = hn::Set(i32, code),
          .nan_code = hn::Set(i32, format.nan_code),
          .overflow_is_nan = hn::FirstN(f32, overflow_is_nan ? hn::Lanes(f32) : 0),
          .dropped = dropped,
          .sign_shift = 31 - format.exponent_bits - format.mantissa_bits};
}

/// What encode_small_float() and decode_small_float() say of a vector. Where `is_nan`, value and code are not
/// set: nan_value and nan_code of the format belong there.
struct Encoded {
  BlockFloats value;
  BlockInts code;
  BlockMask clipped, is_nan;
};

HWY_INLINE Encoded encode_small_float(BlockFloats v, const VectorFormat& format) {
  const BlockTag f32;
  const BlockIntTag i32;
  const hn::Rebind<std::uint32_t, BlockTag> u32;
  const auto sign = hn::And(v, hn::Set(f32, -0.0f));
  const auto magnitude = hn::Min(hn::Abs(v), format.limit);
  const auto exponent_bits = hn::And(hn::BitCast(i32, magnitude), hn::Set(i32, 0x7F800000));
  const auto exponent = hn::Max(exponent_bits, format.least_exponent);
  const auto steps = hn::Add(exponent, format.steps);
  const auto sum = hn::Add(magnitude, hn::BitCast(f32, steps));
  const auto rounded = hn::Sub(sum, hn::BitCast(f32, steps));
  const auto binades = hn::ShiftRightSame(hn::Sub(exponent, format.least_exponent), format.dropped);
  const auto code = hn::Add(hn::Sub(hn::BitCast(i32, sum), steps), binades);
  const auto overflow = hn::Gt(rounded, format.largest);
  const auto sign_code = hn::BitCast(i32, hn::ShiftRightSame(hn::BitCast(u32, sign), format.sign_shift));
  const auto bounded_code = hn::IfThenElse(hn::RebindMask(i32, overflow), format.overflow_code, code);
  const auto nan_input = hn::IsNaN(v);
  return {.value = hn::Or(hn::IfThenElse(overflow, format.overflow_value, rounded), sign),
          .code = hn::Or(bounded_code, sign_code),
          .clipped = hn::Or(overflow, nan_input),
          .is_nan = hn::Or(nan_input, hn::And(overflow, format.overflow_is_nan))};
}

/// The scales of a table alone: what a format without zero point needs of it.
HWY_INLINE GridTable scales_of(const GridTable& table) {
  return {table.scale, nullptr, 0, 0, table.row_length, table.group_size, table.rows};
}

/// Codes of 0..255, one a byte.
HWY_INLINE void store_bytes(BlockInts codes, std::uint8_t* to) {
  const hn::Rebind<std::uint8_t, BlockTag> u8;
  hn::StoreU(hn::DemoteTo(u8, codes), u8, to);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
