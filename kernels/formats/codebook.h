// Non-uniform grids: up to 16 reals, a code is the index of the nearest one. The formula and the kernels that
// apply it. One scale a run; scales of channels and groups come from a GridTable. Levels and their sources:
// docs/reference/formats.md.
#pragma once

#include <math.h>

#include <cstdint>
#include <span>

#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/host_device.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The reals values[code] * scale for 0 <= code < size. Made by make_codebook(): values ascend, are finite
/// and hold no -0. A quotient v belongs to the code that counts the thresholds <= v, which is the nearest
/// value of all reals: threshold[i] is the smallest float32 that is nearer to values[i + 1] than to
/// values[i], or as near when i + 1 is even.
struct Codebook {
  float values[16];
  float threshold[15];
  std::int32_t size = 0;       // 2..16
  std::int32_t zero_code = 0;  // the code of the real 0, which NaN gets

  float first() const { return values[0]; }
  float last() const { return values[size - 1]; }
};

/// `values`: 2..16 finite floats, ascending, no two equal. Throws std::invalid_argument that names the first
/// fault.
Codebook make_codebook(std::span<const float> values);

/// 0 and ±2^-i for i = 0 .. 2^(bits - 1) - 2: 2^bits - 1 values, the largest 1. `bits`: 2..4.
Codebook powers_of_two(int bits);

/// Additive powers of two (arXiv 1909.13144): every magnitude is a sum of at most two powers of two. Signed:
/// 2^bits - 1 values; unsigned: 2^bits. `bits`: 2..4. Values are the plain sums; the paper's factor that
/// makes the largest one 1 belongs to the scale.
Codebook additive_powers_of_two(int bits, bool is_signed);

/// 4-bit NormalFloat (arXiv 2305.14314, appendix E): 16 values from -1 to 1, 0 among them.
Codebook normal_float4();

/// The smallest scale, up to one rounding, that leaves nothing of [min, max], both finite, outside the
/// codebook. 1 when no value but 0 is needed, or when the codebook has no value on the side that is; at least
/// kMinScale.
float codebook_scale(const Codebook& codebook, float min, float max);

/// The code of quotient v; NaN gives zero_code.
SAMEBITS_HOST_DEVICE inline std::int32_t codebook_code(float v, const Codebook& codebook) {
  if (isnan(v)) return codebook.zero_code;
  std::int32_t code = 0;
  for (std::int32_t i = 0; i + 1 < codebook.size; ++i) code += v >= codebook.threshold[i] ? 1 : 0;
  return code;
}

/// Whether the gradient stops here: v lies outside the first and the last value. True for NaN.
SAMEBITS_HOST_DEVICE inline bool is_outside(float v, const Codebook& codebook) {
  return !(v >= codebook.values[0] && v <= codebook.values[codebook.size - 1]);
}

/// The real of a code: one rounding.
SAMEBITS_HOST_DEVICE inline float codebook_value(std::int32_t code, const Codebook& codebook, float scale) {
  return codebook.values[code] * scale;
}

/// The arrays of one call, n elements each, of any alignment.
struct CodebookArgs {
  const void* x;            // of `type`, and so aligned
  void* y;                  // of `type`; may be x; null: not wanted
  std::uint8_t* codes;      // null: not wanted
  std::uint8_t* clip_mask;  // as in fake_quantize.h; null: not wanted
  FloatType type = FloatType::kFloat32;
};

/// Computes elements [begin, end) with the quotients x[i] / scale, a true division; `scale` is that of the
/// element's run in the table, of which nothing else is read, finite and >= kMinScale. Mask bits as in
/// fake_quantize.h, and fake_quantize_backward is the straight-through gradient; with a mask, threads cut at
/// multiples of 8. 16-bit x are widened, and y is rounded to `type` once more. Returns whether it met a NaN:
/// zero_code, mask bit 1. Does not allocate or throw. Every implementation gives the same bits. 0.2 to 0.8 ns
/// an element on one core of AVX2 or AVX-512, in cache.
extern const Kernel<bool(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                         std::int64_t begin, std::int64_t end)>
    fake_quantize_codebook;

}  // namespace samebits::kernels
