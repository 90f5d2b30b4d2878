// Microscaling (OCP MX v1.0): blocks of 32 along the last axis, a power of two a block, small floats or int8
// inside. The scale rule and one element are here, on host and device; kernels apply them. Special values:
// docs/reference/formats.md.
#pragma once

#include <math.h>

#include <cstdint>
#include <numeric>

#include "kernels/common/host_device.h"
#include "kernels/common/kernel.h"
#include "kernels/formats/small_float.h"

namespace samebits::kernels {

constexpr std::int64_t kMxBlock = 32;
constexpr std::uint8_t kMxNaNScale = 0xFF;

/// What a block's elements are: a float format, or int8 with the value code * 2^-6.
struct MxFormat {
  bool is_int8;
  SmallFloat element;  // when not is_int8
  friend bool operator==(const MxFormat&, const MxFormat&) = default;

  constexpr std::int32_t largest_exponent() const { return is_int8 ? 0 : element.largest_exponent(); }
};
inline constexpr MxFormat kMxFloat8E4M3{false, kFloat8E4M3};
inline constexpr MxFormat kMxFloat8E5M2{false, kFloat8E5M2};
inline constexpr MxFormat kMxFloat6E2M3{false, kFloat6E2M3};
inline constexpr MxFormat kMxFloat6E3M2{false, kFloat6E3M2};
inline constexpr MxFormat kMxFloat4E2M1{false, kFloat4E2M1};
inline constexpr MxFormat kMxInt8{true, {}};

/// The E8M0 scale 2^(code - 127); kMxNaNScale is NaN.
SAMEBITS_HOST_DEVICE inline float mx_scale(std::uint8_t code) {
  if (code == kMxNaNScale) return float_of_bits(kNaNBits);
  return float_of_bits(code == 0 ? 0x00400000u : static_cast<std::uint32_t>(code) << 23);
}

/// The scale code of a block from the largest of its magnitudes as float32 bits, which order as the
/// magnitudes do and NaN last: 2^(floor(log2(amax)) - largest exponent of the format), not below 2^-127.
/// Infinity counts as the largest finite float, NaN gives kMxNaNScale.
SAMEBITS_HOST_DEVICE inline std::uint8_t mx_scale_code(std::uint32_t amax_bits, const MxFormat& format) {
  if (amax_bits > 0x7F800000u) return kMxNaNScale;
  const std::uint32_t finite = amax_bits < 0x7F7FFFFFu ? amax_bits : 0x7F7FFFFFu;
  const std::int32_t code = static_cast<std::int32_t>(finite >> 23) - format.largest_exponent();
  return static_cast<std::uint8_t>(code > 0 ? code : 0);
}

/// One element of a block.
struct MxCode {
  std::uint8_t code;
  bool clipped;
};

/// Of x / 2^k, exact but where it is far below the smallest value; saturates. The int8 range is [-127, 127].
/// `scale_code` is not kMxNaNScale.
SAMEBITS_HOST_DEVICE inline MxCode encode_mx(float x, std::uint8_t scale_code, const MxFormat& format) {
  const float v = x * mx_scale(static_cast<std::uint8_t>(254 - scale_code));
  if (!format.is_int8)
    return {encode_small_float(v, format.element, Overflow::kSaturate), is_overflow(v, format.element)};
  const float steps = rintf(v * 64.0f);
  const float bounded = steps > 127.0f ? 127.0f : steps < -127.0f ? -127.0f : steps;
  return {static_cast<std::uint8_t>(static_cast<std::int32_t>(bounded)), bounded != steps};
}

/// The real of an element, exact. In a block of kMxNaNScale all are NaN (kNaNBits).
SAMEBITS_HOST_DEVICE inline float decode_mx(std::uint8_t code, std::uint8_t scale_code,
                                            const MxFormat& format) {
  if (scale_code == kMxNaNScale) return mx_scale(scale_code);
  const float value = format.is_int8 ? static_cast<float>(static_cast<std::int8_t>(code)) * 0x1p-6f
                                     : decode_small_float(code, format.element);
  return value != value ? value : value * mx_scale(scale_code);
}

/// Rows of row_length elements, each cut into blocks of 32 of which the last may be short. Blocks are
/// numbered through all rows.
struct MxRows {
  std::int64_t row_length;

  constexpr std::int64_t blocks_per_row() const { return (row_length + kMxBlock - 1) / kMxBlock; }
  constexpr std::int64_t first_element(std::int64_t block) const {
    return block / blocks_per_row() * row_length + block % blocks_per_row() * kMxBlock;
  }
  constexpr std::int64_t last_element(std::int64_t block) const {
    const std::int64_t rest = row_length - block % blocks_per_row() * kMxBlock;
    return first_element(block) + (rest < kMxBlock ? rest : kMxBlock);
  }
  /// Threads cut at multiples of this many blocks, so that no two share a byte of the mask.
  constexpr std::int64_t block_step() const {
    return row_length % 8 == 0 ? 1 : 8 / std::gcd(std::int64_t{8}, row_length) * blocks_per_row();
  }
};

/// The arrays of one call, of any alignment: an entry an element, `scales` one a block.
struct MxArgs {
  const void* x;            // of `type`, and so aligned
  void* y;                  // of `type`; may be x; null: not wanted
  std::uint8_t* codes;      // one a byte, in the low bits; null: not wanted
  std::uint8_t* scales;     // null: not wanted
  std::uint8_t* clip_mask;  // as in fake_quantize.h: 1 where an element saturated; null: not wanted
  FloatType type = FloatType::kFloat32;
};

/// Computes blocks [begin, end); with a mask, `begin` is a multiple of rows.block_step().
/// fake_quantize_backward is the straight-through gradient. Returns whether it met a NaN: its block gets
/// kMxNaNScale, NaN as every y, codes 0 and mask bits 1. 16-bit x are widened, and y is rounded to `type`
/// once more. Does not allocate or throw. Every implementation gives the same bits.
extern const Kernel<bool(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                         std::int64_t end)>
    fake_quantize_mx;

/// y of codes and scales for blocks [begin, end): the float32 y that fake_quantize_mx wrote with them.
void decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y, const MxFormat& format,
                      const MxRows& rows, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
