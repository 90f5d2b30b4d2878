// kernels/formats/codebook.h on CUDA: a thread makes four elements. The formula is codebook.h, compiled for
// the device.
#pragma once

#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"
#include "kernels/formats/codebook.h"

namespace samebits::kernels::cuda {

/// args.type is Stored. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    fake_quantize_codebook(CodebookArgs args, const __grid_constant__ Codebook codebook, Grids grids,
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
      codes[i] = codebook_code(v, codebook);
      r[i] = codebook_value(codes[i], codebook, walk.grid.scale);
      clip_bits |= static_cast<unsigned>(is_outside(v, codebook)) << i;
      has_nan = has_nan || isnan(v);
      if (i + 1 < count) walk.advance();
    }
    if (args.y != nullptr) store_reals<Stored>(args.y, first, count, r);
    if (args.codes != nullptr) store_codes(args.codes, first, count, codes);
    if (args.clip_mask != nullptr) store_clip_bits(args.clip_mask, first, count, clip_bits);
    report_nan(has_nan, saw_nan);
  });
}

}  // namespace samebits::kernels::cuda
