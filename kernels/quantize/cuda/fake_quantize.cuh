// kernels/quantize/fake_quantize.h on CUDA: a thread makes four elements, two threads a byte of the clip
// mask.
#pragma once

#include "kernels/quantize/cuda/quantize.cuh"
#include "kernels/quantize/fake_quantize.h"

namespace samebits::kernels::cuda {

/// args.type is Stored. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads) fake_quantize(FakeQuantizeArgs args, Grids grids, std::int64_t n,
                                                          int* saw_nan, const std::uint8_t* only_if) {
  if (only_if != nullptr && *only_if == 0) return;
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_reals<Stored>(args.x, first, count, r);
    const QuantizedQuad quad = quantize_quad(r, grids, first, count);
    store_reals<Stored>(args.y, first, count, quad.y);
    store_clip_bits(args.clip_mask, first, count, quad.clip_bits);
    report_nan(quad.has_nan, saw_nan);
  });
}

/// Both gradients are of type Stored. Launch with any number of blocks. A clipped element becomes +0 whatever
/// its gradient is, NaN too.
template <class Stored>
__global__ void __launch_bounds__(kThreads)
    fake_quantize_backward(const Stored* grad_y, const std::uint8_t* clip_mask, Stored* grad_x,
                           std::int64_t n) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    if (count == 0) return;
    Stored g[4];
    load_quad(grad_y + first, count, g);
    const unsigned clip_bits = load_clip_bits(clip_mask, first);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if ((clip_bits >> i & 1) != 0) g[i] = Stored();
    store_quad(grad_x + first, count, g);
  });
}

}  // namespace samebits::kernels::cuda
