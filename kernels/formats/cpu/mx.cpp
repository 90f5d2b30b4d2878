// kernels/formats/mx.h with Highway. This file is compiled once for every instruction set. A block is read
// twice: for its largest magnitude, then, from the first-level cache, for its elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formats/cpu/mx.cpp"
#include "kernels/formats/reference/mx.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/formats/cpu/small_float-inl.h"
#include "kernels/formats/fake_quantize_small_float.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

struct FloatElements {
  VectorFormat format;
  HWY_INLINE Encoded operator()(BlockFloats v) const { return encode_small_float(v, format); }
};

struct Int8Elements {
  HWY_INLINE Encoded operator()(BlockFloats v) const {
    const BlockTag f32;
    const BlockIntTag i32;
    const auto largest = hn::Set(f32, 127.0f);
    const auto steps = hn::Round(hn::Mul(v, hn::Set(f32, 64.0f)));
    const auto bounded = hn::Min(hn::Max(steps, hn::Neg(largest)), largest);
    return {.value = hn::Mul(hn::Add(bounded, hn::Zero(f32)), hn::Set(f32, 0x1p-6f)),  // -0 becomes +0
            .code = hn::And(hn::ConvertTo(i32, bounded), hn::Set(i32, 0xFF)),
            .clipped = hn::Ne(bounded, steps),
            .is_nan = hn::FirstN(f32, 0)};
  }
};

template <class Stored>
HWY_INLINE std::uint32_t largest_magnitude_bits(const MxArgs& args, std::int64_t begin, std::int64_t end) {
  const BlockIntTag i32;
  auto largest = hn::Zero(i32);
  std::int64_t i = begin;
  for (; i + kBlockLanes <= end; i += kBlockLanes) {
    const auto magnitude = hn::Abs(load_floats(static_cast<const Stored*>(args.x) + i));
    largest = hn::Max(largest, hn::BitCast(i32, magnitude));
  }
  const auto body = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(i32, largest)));
  return i == end ? body : std::max(body, reference::largest_magnitude_bits(args, i, end));
}

/// Elements [begin, end) of a block without NaN.
template <class Stored, class Elements>
HWY_INLINE void encode_elements(const MxArgs& args, const MxFormat& format, const Elements& elements,
                                std::uint8_t scale_code, std::int64_t begin, std::int64_t end) {
  const BlockTag f32;
  const auto scale = hn::Set(f32, mx_scale(scale_code));
  const auto reciprocal = hn::Set(f32, mx_scale(static_cast<std::uint8_t>(254 - scale_code)));
  std::int64_t i = whole_bytes_begin(begin, end);
  if (begin < i) reference::mx_elements(args, format, scale_code, begin, i);
  for (; i + kBlock <= end; i += kBlock) {
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto x = load_floats(static_cast<const Stored*>(args.x) + i + lane);
      const Encoded encoded = elements(hn::Mul(x, reciprocal));
      const auto y = hn::Mul(encoded.value, scale);
      if (args.y != nullptr) store_floats(y, static_cast<Stored*>(args.y) + i + lane);
      if (args.codes != nullptr) store_bytes(encoded.code, args.codes + i + lane);
      inside |= mask_bits(f32, hn::Not(encoded.clipped)) << lane;
    }
    if (args.clip_mask != nullptr) store_clip_bits(inside, args.clip_mask, i);
  }
  if (i < end) reference::mx_elements(args, format, scale_code, i, end);
}

template <class Stored, class Elements>
bool blocks_as(const MxArgs& args, const MxFormat& format, const Elements& elements, const MxRows& rows,
               std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    const std::uint8_t scale_code = mx_scale_code(largest_magnitude_bits<Stored>(args, first, last), format);
    if (args.scales != nullptr) args.scales[block] = scale_code;
    if (scale_code == kMxNaNScale) {
      reference::mx_elements(args, format, scale_code, first, last);
      saw_nan = true;
    } else {
      encode_elements<Stored>(args, format, elements, scale_code, first, last);
    }
  }
  return saw_nan;
}

template <class Elements>
bool fake_quantize_blocks(const MxArgs& args, const MxFormat& format, const Elements& elements,
                          const MxRows& rows, std::int64_t begin, std::int64_t end) {
  if (args.type == FloatType::kBfloat16) return blocks_as<Bfloat16>(args, format, elements, rows, begin, end);
  if (args.type == FloatType::kFloat16) return blocks_as<Float16>(args, format, elements, rows, begin, end);
  return blocks_as<float>(args, format, elements, rows, begin, end);
}

bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end) {
  if (format.is_int8) return fake_quantize_blocks(args, format, Int8Elements{}, rows, begin, end);
  const FloatElements elements{vector_format(format.element, Overflow::kSaturate)};
  return fake_quantize_blocks(args, format, elements, rows, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(fake_quantize_mx, "fake_quantize_mx");

void decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y, const MxFormat& format,
                      const MxRows& rows, std::int64_t begin, std::int64_t end) {
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = rows.first_element(block), last = rows.last_element(block);
    if (format.is_int8 || scales[block] == kMxNaNScale) {
      for (std::int64_t i = first; i < last; ++i) y[i] = decode_mx(codes[i], scales[block], format);
    } else {
      decode_small_float_run(codes, y, format.element, mx_scale(scales[block]), first, last);
    }
  }
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
