// kernels/quantize/stochastic.h on CUDA: a thread quantizes four elements, whose numbers are the four words
// of one Philox block.
#pragma once

#include "kernels/common/cuda/grids.cuh"
#include "kernels/common/cuda/quads.cuh"
#include "kernels/quantize/stochastic.h"

namespace samebits::kernels::cuda {

/// random_word of elements first to first + 3; `first` is a multiple of 4.
__device__ inline PhiloxBlock random_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t first) {
  const std::uint64_t block = first / 4;
  const PhiloxBlock counter = {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                static_cast<std::uint32_t>(stream),
                                static_cast<std::uint32_t>(stream >> 32)}};
  return philox(counter, seed);
}

/// args.type is Stored. Launch with any number of blocks. `saw_nan` is set by the first NaN and never
/// cleared.
template <class Stored, class Grids>
__global__ void __launch_bounds__(kThreads)
    quantize_stochastic(StochasticArgs args, Grids grids, std::int64_t n, int* saw_nan) {
  for_each_quad(n, [&](std::int64_t first, int count) {
    float r[4];
    load_reals<Stored>(args.x, first, count, r);
    const PhiloxBlock random = random_words(args.seed, args.stream, static_cast<std::uint64_t>(first));
    auto walk = grids.walk(first);
    std::int32_t codes[4];
    unsigned clip_bits = 0;
    bool has_nan = false;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float position = stochastic_position(r[i], unit_float(random.word[i]), walk.grid);
      codes[i] = code_at(position, walk.grid);
      clip_bits |= static_cast<unsigned>(is_clipped(position, walk.grid)) << i;
      has_nan = has_nan || isnan(position);
      if (i + 1 < count) walk.advance();
    }
    store_codes(args.codes, first, count, codes);
    if (args.clip_mask != nullptr) store_clip_bits(args.clip_mask, first, count, clip_bits);
    report_nan(has_nan, saw_nan);
  });
}

}  // namespace samebits::kernels::cuda
