// kernels/formats/fake_quantize_small_float.h on CUDA: a thread makes four elements. The formula is
// small_float.h, in integers, and not the hardware's conversions, which have other special values.
#pragma once

#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"
#include "kernels/formats/fake_quantize_small_float.h"

namespace samebits::kernels::cuda {

/// The real of a code. A product may change a NaN's bits.
__device__ inline float float_of_code(std::uint8_t code, const SmallFloat& format, float scale) {
  const float value = decode_small_float(code, format);
  return isnan(value) ? value : value * scale;
}

/// args.type is Stored. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    fake_quantize_small_float(SmallFloatArgs args, SmallFloat format, Overflow overflow, Grids grids,
                              std::int64_t n, int* saw_nan) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    std::int32_t codes[4];
    load_reals<Stored>(args.x, first, count, r);
    auto walk = grids.walk(first);
    unsigned clip_bits = 0;
    bool has_nan = false;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float v = r[i] / walk.grid.scale;
      const std::uint8_t code = encode_small_float(v, format, overflow);
      codes[i] = code;
      r[i] = float_of_code(code, format, walk.grid.scale);
      clip_bits |= static_cast<unsigned>(is_overflow(v, format)) << i;
      has_nan = has_nan || isnan(v) || isnan(decode_small_float(code, format));
      if (i + 1 < count) walk.advance();
    }
    if (args.y != nullptr) store_reals<Stored>(args.y, first, count, r);
    if (args.codes != nullptr) store_codes(args.codes, first, count, codes);
    if (args.clip_mask != nullptr) store_clip_bits(args.clip_mask, first, count, clip_bits);
    report_nan(has_nan, saw_nan);
  });
}

/// y of codes, the scales those of a table. Launch with any number of blocks.
template <class Grids>
__global__ void __launch_bounds__(kThreads)
    decode_small_floats(const std::uint8_t* codes, float* y, SmallFloat format, Grids grids, std::int64_t n) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    if (count == 0) return;
    std::uint8_t quad[4];
    load_quad(codes + first, count, quad);
    auto walk = grids.walk(first);
    float r[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      r[i] = float_of_code(quad[i], format, walk.grid.scale);
      if (i + 1 < count) walk.advance();
    }
    store_quad(y + first, count, r);
  });
}

}  // namespace samebits::kernels::cuda
