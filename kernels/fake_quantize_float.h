// float32 -> small float -> float32, with what backward needs, and back from codes. One scale a run; scales
// of channels come from a GridTable. The formats and the formula of one value: float_format.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/float_format.h"
#include "kernels/grid_table.h"
#include "kernels/implementation.h"

namespace samebits::kernels {

/// How a run is quantized: decode(encode(x / scale)) * scale. scale is finite and >= kMinScale.
struct FloatGrid {
  FloatFormat format;
  Overflow overflow = Overflow::kSaturate;
  float scale = 1.0f;
};

/// The arrays of one call, n elements each, of any alignment.
struct FloatArgs {
  const float* x;
  float* y;                 // may be x; null: not wanted
  std::uint8_t* codes;      // null: not wanted
  std::uint8_t* clip_mask;  // as in fake_quantize.h: 1 where is_overflow(); null: not wanted
};

/// Computes elements [begin, end): a true division, one rounding to the format, one product. Mask bits as in
/// fake_quantize.h, and fake_quantize_backward is the straight-through gradient. Returns whether it met or,
/// by Overflow::kToSpecial, made a NaN: y is NaN (kNaNBits), mask bit 1; in a format without NaN y is +0.
/// Does not allocate or throw. Every implementation gives the same bits.
bool fake_quantize_float_run(const FloatArgs& args, const FloatGrid& grid, std::int64_t begin,
                             std::int64_t end);

/// The same over a table, of which it reads the scales alone. With a mask, `begin` is a multiple of 8.
bool fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end);

/// y[i] = decode_float(codes[i]) * scale for i in [begin, end): the y that fake_quantize_float_run wrote with
/// these codes.
void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scale,
                      std::int64_t begin, std::int64_t end);

/// The scale that puts `amax`, finite and >= 0, at the format's largest value; 1 for 0, at least kMinScale.
float float_scale(const FloatFormat& format, float amax);

std::span<const Implementation<decltype(fake_quantize_float_run)>> fake_quantize_float_implementations();
std::span<const Implementation<decltype(decode_float_run)>> decode_float_implementations();

}  // namespace samebits::kernels
