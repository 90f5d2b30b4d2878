// float32 -> small float -> float32, with what backward needs, and back from codes. One scale a run; scales
// of channels come from a GridTable. The formats and the formula of one value: small_float.h.
#pragma once

#include <cstdint>

#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"
#include "kernels/formats/small_float.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment.
struct SmallFloatArgs {
  const void* x;            // of `type`, and so aligned
  void* y;                  // of `type`; may be x; null: not wanted
  std::uint8_t* codes;      // null: not wanted
  std::uint8_t* clip_mask;  // as in fake_quantize.h: 1 where is_overflow(); null: not wanted
  FloatType type = FloatType::kFloat32;
};

/// Computes elements [begin, end) as decode(encode(x / scale)) * scale: a true division, one rounding to the
/// format, one product. `scale` is that of the element's run in the table, of which nothing else is read,
/// finite and >= kMinScale. Mask bits as in fake_quantize.h, and fake_quantize_backward is the
/// straight-through gradient; with a mask, threads cut at multiples of 8. 16-bit x are widened, and y is
/// rounded to `type` once more. Returns whether it met or, by Overflow::kToSpecial, made a NaN: y is NaN
/// (kNaNBits), mask bit 1; in a format without NaN y is +0. Does not allocate or throw. Every implementation
/// gives the same bits.
extern const Kernel<bool(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end)>
    fake_quantize_small_float;

/// y[i] = decode_small_float(codes[i]) * scale for i in [begin, end): the float32 y that
/// fake_quantize_small_float wrote with these codes.
extern const Kernel<void(const std::uint8_t* codes, float* y, const SmallFloat& format, float scale,
                         std::int64_t begin, std::int64_t end)>
    decode_small_float_run;

/// The scale that puts `amax`, finite and >= 0, at the format's largest value; 1 for 0, at least kMinScale.
float small_float_scale(const SmallFloat& format, float amax);

}  // namespace samebits::kernels
