// kernels/quantize/quantize.h on CUDA: a thread quantizes eight elements of one grid, or four of a table of
// grids. The formula is affine.h, compiled for the device with --fmad=false.
#pragma once

#include "kernels/common/affine.h"
#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"
#include "kernels/quantize/cuda/octets.cuh"
#include "kernels/quantize/quantize.h"

namespace samebits::kernels::cuda {

/// What becomes of a quad of reals.
struct QuantizedQuad {
  std::int32_t codes[4];
  float y[4];          // the codes' reals
  unsigned clip_bits;  // bit i: element i was clipped
  bool has_nan;
};

/// `count` of r are elements, from `first` on; the others come out as something, without a NaN. `fold_relu`
/// as in kernels/quantize/quantize.h.
template <class Grids>
__device__ QuantizedQuad quantize_quad(const float (&r)[4], const Grids& grids, std::int64_t first, int count,
                                       bool fold_relu = false) {
  QuantizedQuad quad{};
  auto walk = grids.walk(first);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const bool is_stopped = fold_relu && r[i] <= 0.0f;
    const float position = grid_position(is_stopped ? 0.0f : r[i], walk.grid);
    quad.codes[i] = code_at(position, walk.grid);
    quad.y[i] = kernels::dequantize(quad.codes[i], walk.grid);
    quad.clip_bits |= static_cast<unsigned>(is_clipped(position, walk.grid) || is_stopped) << i;
    quad.has_nan = quad.has_nan || isnan(position);
    if (i + 1 < count) walk.advance();
  }
  return quad;
}

/// args.type is Stored. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    quantize(QuantizeArgs args, Grids grids, std::int64_t n, int* saw_nan, const std::uint8_t* only_if) {
  if (only_if != nullptr && *only_if == 0) return;
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_reals<Stored>(args.x, first, count, r);
    const QuantizedQuad quad = quantize_quad(r, grids, first, count, args.fold_relu);
    store_codes(args.codes, first, count, quad.codes);
    if (args.clip_mask != nullptr) store_clip_bits(args.clip_mask, first, count, quad.clip_bits);
    report_nan(quad.has_nan, saw_nan);
  });
}

/// The same on one grid.
template <class Stored, bool kFoldRelu>
__global__ void __launch_bounds__(kThreads)
    quantize_one_grid(QuantizeArgs args, GridArrays arrays, std::int64_t n, int* saw_nan,
                      const std::uint8_t* only_if) {
  if (only_if != nullptr && *only_if == 0) return;
  const OctetGrid grid(arrays.grid(0));
  bool has_nan = false;
  for_each_octet(n, [&](std::int64_t first, int count) {
    float r[8];
    load_octet<Stored>(args.x, first, count, r);
    const Octet octet = quantize_octet<kFoldRelu>(r, grid);
    store_octet(args.codes + first, count, octet, grid.zero_point);
    if (args.clip_mask != nullptr) args.clip_mask[first / 8] = clip_byte(octet, count);
    has_nan = has_nan || octet.has_nan;
  });
  report_nan(has_nan, saw_nan);
}

}  // namespace samebits::kernels::cuda
