// kernels/mx.h with Highway. This file is compiled once for every instruction set. A block is read twice: for
// its largest magnitude, then, from the first-level cache, for its elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/mx.cpp"
#include "kernels/reference/mx.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/float_format-inl.h"
#include "kernels/cpu/implementations.h"
#include "kernels/fake_quantize_float.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

struct FloatElements {
  VectorFormat format;
  HWY_INLINE Encoded operator()(Floats v) const { return encode_float(v, format); }
};

struct Int8Elements {
  HWY_INLINE Encoded operator()(Floats v) const {
    const FloatTag f32;
    const IntTag i32;
    const auto largest = hn::Set(f32, 127.0f);
    const auto steps = hn::Round(hn::Mul(v, hn::Set(f32, 64.0f)));
    const auto bounded = hn::Min(hn::Max(steps, hn::Neg(largest)), largest);
    return {.value = hn::Mul(hn::Add(bounded, hn::Zero(f32)), hn::Set(f32, 0x1p-6f)),  // -0 becomes +0
            .code = hn::And(hn::ConvertTo(i32, bounded), hn::Set(i32, 0xFF)),
            .clipped = hn::Ne(bounded, steps),
            .is_nan = hn::FirstN(f32, 0)};
  }
};

HWY_INLINE std::uint32_t largest_magnitude_bits(const float* x, std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  const IntTag i32;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  auto largest = hn::Zero(i32);
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes)
    largest = hn::Max(largest, hn::BitCast(i32, hn::Abs(hn::LoadU(f32, x + i))));
  const auto body = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(i32, largest)));
  return std::max(body, reference::largest_magnitude_bits(x, i, end));
}

/// Elements [begin, end) of a block without NaN.
template <class Elements>
HWY_INLINE void encode_elements(const MxArgs& args, const MxFormat& format, const Elements& elements,
                                std::uint8_t scale_code, std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  const auto scale = hn::Set(f32, mx_scale(scale_code));
  const auto reciprocal = hn::Set(f32, mx_scale(static_cast<std::uint8_t>(254 - scale_code)));
  std::int64_t i = aligned_begin(begin, end);
  reference::mx_elements(args, format, scale_code, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const Encoded encoded = elements(hn::Mul(hn::LoadU(f32, args.x + i + lane), reciprocal));
      if (args.y != nullptr) hn::StoreU(hn::Mul(encoded.value, scale), f32, args.y + i + lane);
      if (args.codes != nullptr) store_bytes(encoded.code, args.codes + i + lane);
      mask_byte |= mask_bits(encoded.clipped) << lane;
    }
    if (args.clip_mask != nullptr) args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  reference::mx_elements(args, format, scale_code, i, end);
}

template <class Elements>
HWY_INLINE bool fake_quantize_blocks(const MxArgs& args, const MxFormat& format, const Elements& elements,
                                     const MxRows& rows, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    const std::uint8_t scale_code = mx_scale_code(largest_magnitude_bits(args.x, first, last), format);
    if (args.scales != nullptr) args.scales[block] = scale_code;
    if (scale_code == kMxNaNScale) {
      reference::mx_elements(args, format, scale_code, first, last);
      saw_nan = true;
    } else {
      encode_elements(args, format, elements, scale_code, first, last);
    }
  }
  return saw_nan;
}

bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end) {
  if (format.is_int8) return fake_quantize_blocks(args, format, Int8Elements{}, rows, begin, end);
  const FloatElements elements{vector_format(format.element, Overflow::kSaturate)};
  return fake_quantize_blocks(args, format, elements, rows, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(fake_quantize_mx)> list[] = SAMEBITS_IMPLEMENTATIONS(fake_quantize_mx);
}  // namespace

std::span<const Implementation<decltype(fake_quantize_mx)>> fake_quantize_mx_implementations() {
  return list;
}

bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end) {
  static const auto& chosen = first_usable(fake_quantize_mx_implementations());
  return chosen.run(args, format, rows, begin, end);
}

void decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y, const MxFormat& format,
                      const MxRows& rows, std::int64_t begin, std::int64_t end) {
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    if (format.is_int8 || scales[block] == kMxNaNScale) {
      for (std::int64_t i = first; i < last; ++i) y[i] = decode_mx(codes[i], scales[block], format);
    } else {
      decode_float_run(codes, y, format.element, mx_scale(scales[block]), first, last);
    }
  }
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
