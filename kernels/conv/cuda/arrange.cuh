// Codes and weights with their channels side by side, as conv2d.cuh reads them.
#pragma once

#include "kernels/conv/cuda/conv2d.h"
#include "kernels/matmul/cuda/dot_product.cuh"

namespace samebits::kernels::cuda {

constexpr int kArrangedPixels = 64;  // of a block's tile
constexpr int kArrangedWords = 16;   // of a pixel, that a tile takes

/// Four codes, `apart` elements from one another, as a word; 0 for those past `count`.
__device__ inline unsigned gathered_word(const std::int8_t* codes, std::int64_t apart, std::int32_t count) {
  unsigned word = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) word |= (static_cast<unsigned>(codes[i * apart]) & 0xFFu) << (8 * i);
  return word;
}

/// A transposition by way of shared memory: reads run along pixels, writes along channels. Launch with any
/// number of blocks.
__global__ void __launch_bounds__(kThreads)
    arrange_codes(const std::int8_t* codes, ConvSizes s, std::int64_t images, std::int8_t* x) {
  __shared__ unsigned tile[kArrangedPixels][kArrangedWords + 1];
  const auto channels = static_cast<std::int32_t>(padded_channels(s.group_channels()));
  const std::int32_t group_words = channels / 4, words = group_words * s.groups;
  const std::int64_t count = images * s.in_pixels();
  const bool fits = count <= UINT32_MAX;
  const std::int64_t tiles_across = (words + kArrangedWords - 1) / kArrangedWords;
  const std::int64_t tiles = (count + kArrangedPixels - 1) / kArrangedPixels * tiles_across;
  const int thread = static_cast<int>(threadIdx.x);
  for (std::int64_t i = blockIdx.x; i < tiles; i += gridDim.x) {
    const std::int64_t first_pixel = i / tiles_across * kArrangedPixels;
    const auto first_word = static_cast<std::int32_t>(i % tiles_across * kArrangedWords);
    const int pixel = thread % kArrangedPixels;
    if (first_pixel + pixel < count) {
      const Divided at = divided(first_pixel + pixel, s.in_pixels(), fits);
      const std::int8_t* const image = codes + at.quotient * s.in_channels * s.in_pixels() + at.remainder;
#pragma unroll
      for (int place = thread / kArrangedPixels; place < kArrangedWords;
           place += kThreads / kArrangedPixels) {
        const std::int32_t word = first_word + place;
        if (word >= words) continue;
        const std::int32_t group = word / group_words, channel = (word - group * group_words) * 4;
        const std::int64_t plane = std::int64_t{group} * s.group_channels() + channel;
        tile[pixel][place] =
            gathered_word(image + plane * s.in_pixels(), s.in_pixels(), s.group_channels() - channel);
      }
    }
    __syncthreads();
    auto* const to = reinterpret_cast<unsigned*>(x);
#pragma unroll
    for (int item = thread; item < kArrangedPixels * kArrangedWords; item += kThreads) {
      const std::int64_t n = first_pixel + item / kArrangedWords;
      const std::int32_t word = first_word + item % kArrangedWords;
      if (n < count && word < words)
        to[n * words + word] = tile[item / kArrangedWords][item % kArrangedWords];
    }
    __syncthreads();
  }
}

/// A thread makes a word. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    arrange_weight(const std::int8_t* codes, ConvSizes s, std::int64_t depth, std::int8_t* weight) {
  const std::int64_t channels = padded_channels(s.group_channels()), row_words = depth / 4;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < s.out_channels * row_words; i += stride) {
    const std::int64_t row = i / row_words, first = (i - row * row_words) * 4;
    const std::int64_t tap = first / channels, channel = first - tap * channels;
    const auto count = static_cast<std::int32_t>(tap < s.taps() ? s.group_channels() - channel : 0);
    reinterpret_cast<unsigned*>(weight)[i] =
        gathered_word(codes + row * s.depth() + channel * s.taps() + tap, s.taps(), count);
  }
}

}  // namespace samebits::kernels::cuda
