// kernels/fake_quantize_float.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/fake_quantize_float.cpp"
#include "kernels/reference/fake_quantize_float.h"

#include <algorithm>
#include <limits>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/float_format-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// How every run is rounded.
struct Rounding {
  FloatFormat format;
  Overflow overflow;
  VectorFormat vectors;

  HWY_INLINE bool by_reference(const FloatArgs& args, float scale, std::int64_t begin,
                               std::int64_t end) const {
    return begin < end && reference::fake_quantize_float_run(args, format, overflow, scale, begin, end);
  }
};

HWY_INLINE bool run(const FloatArgs& args, const Rounding& rounding, float scalar_scale, std::int64_t begin,
                    std::int64_t end) {
  const FloatTag f32;
  const IntTag i32;
  const VectorFormat format = rounding.vectors;
  const auto scale = hn::Set(f32, scalar_scale);
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = aligned_begin(begin, end);
  const bool head_saw_nan = rounding.by_reference(args, scalar_scale, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const Encoded encoded = encode_float(hn::Div(hn::LoadU(f32, args.x + i + lane), scale), format);
      const auto y = hn::IfThenElse(encoded.is_nan, format.nan_value, hn::Mul(encoded.value, scale));
      const auto code = hn::IfThenElse(hn::RebindMask(i32, encoded.is_nan), format.nan_code, encoded.code);
      if (args.y != nullptr) hn::StoreU(y, f32, args.y + i + lane);
      if (args.codes != nullptr) store_bytes(code, args.codes + i + lane);
      mask_byte |= mask_bits(encoded.clipped) << lane;
      nans = hn::Or(nans, encoded.is_nan);
    }
    if (args.clip_mask != nullptr) args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  const bool tail_saw_nan = rounding.by_reference(args, scalar_scale, i, end);
  return head_saw_nan || tail_saw_nan || !hn::AllFalse(f32, nans);
}

bool fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end) {
  const Rounding rounding{format, overflow, vector_format(format, overflow)};
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) HWY_ATTR {
    saw_nan |= run(args, rounding, table.scale[index], first, last);
  });
  return saw_nan;
}

void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scalar_scale,
                      std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  const IntTag i32;
  const hn::Rebind<std::uint8_t, FloatTag> u8;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  const int dropped = 23 - format.mantissa_bits,
            sign_shift = 31 - format.exponent_bits - format.mantissa_bits;
  const auto scale = hn::Set(f32, scalar_scale);
  const auto unit = hn::Set(f32, decode_float(1, format));
  const auto nan = hn::Set(f32, float_from_bits(kNaNBits)),
             infinity = hn::Set(f32, float_from_bits(0x7F800000u));
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
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
  reference::decode_float_run(codes, y, format, scalar_scale, i, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(fake_quantize_float)> forward_list[] =
    SAMEBITS_IMPLEMENTATIONS(fake_quantize_float);
constexpr Implementation<decltype(decode_float_run)> decode_list[] =
    SAMEBITS_IMPLEMENTATIONS(decode_float_run);
}  // namespace

std::span<const Implementation<decltype(fake_quantize_float)>> fake_quantize_float_implementations() {
  return forward_list;
}
std::span<const Implementation<decltype(decode_float_run)>> decode_float_implementations() {
  return decode_list;
}

bool fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(fake_quantize_float_implementations());
  return chosen.run(args, format, overflow, table, begin, end);
}

void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scale,
                      std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(decode_float_implementations());
  chosen.run(codes, y, format, scale, begin, end);
}

float float_scale(const FloatFormat& format, float amax) {
  if (amax == 0.0f) return 1.0f;
  return std::max(amax / decode_float(static_cast<std::uint8_t>(format.largest_code), format), kMinScale);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
