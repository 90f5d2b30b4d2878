// kernels/float/normalize.h on CUDA.
#pragma once

#include "kernels/float/cuda/rows.cuh"

namespace samebits::kernels::cuda {

/// args.is_rms is kRms. Any number of blocks.
template <bool kRms>
__global__ void __launch_bounds__(kThreads) normalize_rows(NormalizeArgs args, std::int64_t rows) {
  for_each_row(rows, [&](std::int64_t row) { Rows<WarpOps>::normalize<kRms>(args, row); });
}

/// Of n elements, planes · inner. Any number of blocks.
__global__ void __launch_bounds__(kThreads) scale_channels(ScaleChannelsArgs args, std::int64_t n) {
  for_each_column(n, [&](std::int64_t i) {
    const std::int64_t channel = i / args.inner % args.channels;
    const float y = args.x[i] * args.scale[channel] + args.bias[channel];
    args.y[i] = Formulas<ScalarOps>::number_or_nan(y, y);
  });
}

}  // namespace samebits::kernels::cuda
