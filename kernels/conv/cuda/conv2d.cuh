// A convolution of codes as a matrix product that is never written out: a block fetches the codes that the
// taps of its pixels read while the tensor cores multiply those before. Rows are output channels, columns
// pixels of all images, so that y is NCHW; the depth runs over places of the kernel and, within each,
// channels.
#pragma once

#include "kernels/conv/cuda/conv2d.h"
#include "kernels/matmul/cuda/mma_int8.cuh"

namespace samebits::kernels::cuda {

constexpr int kConvPixels = 128;            // of a block's tile
constexpr int kConvWords = kConvDepth / 4;  // of a staged line
constexpr int kConvLine = kConvWords + 4;   // its room: lines of a fragment then lie in different banks
constexpr int kConvLoads = kConvWords / 4;  // loads of 16 bytes a line

/// Where the depth has come to: a channel of a place of the kernel.
struct TapWalk {
  std::int32_t channel, row, column;

  __device__ void advance(const ConvSizes& s, std::int32_t channels, std::int32_t bytes) {
    channel += bytes;
    while (channel >= channels) {
      channel -= channels;
      if (++column < s.kernel_width) continue;
      column = 0;
      ++row;
    }
  }
};

/// Four words of a staged line.
struct StagedLoad {
  unsigned word[4];
};
__device__ inline StagedLoad load_line(const std::int8_t* bytes) {
  const uint4 v = *reinterpret_cast<const uint4*>(bytes);
  return {{v.x, v.y, v.z, v.w}};
}

/// What one thread fetches of the pixels: always the same part of a step's depth, for a few pixels.
template <bool kWideChannels>
struct PixelReader {
  static constexpr int kPixels = kConvPixels * kConvLoads / kThreads;

  const Conv2dCodes& args;
  const ConvSizes& s;
  std::int32_t channels;             // of a group, padded
  const std::int8_t* base[kPixels];  // the group's channels where the window begins; null: no such pixel
  std::int32_t window_row[kPixels], window_column[kPixels];
  unsigned border;
  TapWalk walk{};

  __device__ PixelReader(const Conv2dCodes& a, const ConvSizes& sizes)
      : args(a), s(sizes), channels(static_cast<std::int32_t>(padded_channels(sizes.group_channels()))) {
    border = four_bytes(__ldg(args.x_zero_point));
  }

  __device__ void begin(std::int64_t first_pixel, std::int64_t count, std::int32_t group, bool fits) {
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      const std::int64_t n = first_pixel + threadIdx.x / kConvLoads + i * (kThreads / kConvLoads);
      base[i] = nullptr;
      if (n >= count) continue;
      const OutputPixel at = output_pixel(s, n, fits);
      window_row[i] = at.row;
      window_column[i] = at.column;
      base[i] = args.x + at.image * s.in_pixels() * channels * s.groups + std::int64_t{group} * channels;
    }
    walk = {0, 0, 0};
    walk.advance(s, channels, static_cast<std::int32_t>(threadIdx.x % kConvLoads) * 16);
  }

  /// The codes at `walk` of pixel i, or the border where they lie outside.
  template <class Word>
  __device__ Word codes(int i, const TapWalk& at, const Word& outside) const {
    const std::int32_t row = window_row[i] + at.row * s.dilation_height;
    const std::int32_t column = window_column[i] + at.column * s.dilation_width;
    if (at.row >= s.kernel_height || !is_inside(s, row, column)) return outside;
    const std::int64_t pixel = std::int64_t{row} * s.width + column;
    return *reinterpret_cast<const Word*>(base[i] + pixel * channels * s.groups + at.channel);
  }

  __device__ void fetch(StagedLoad (&loads)[kPixels]) {
    const uint4 outside = {border, border, border, border};
    TapWalk at = walk;
    if constexpr (kWideChannels) {
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        const uint4 v = base[i] == nullptr ? outside : codes<uint4>(i, at, outside);
        loads[i] = {{v.x, v.y, v.z, v.w}};
      }
    } else {
#pragma unroll
      for (int word = 0; word < 4; ++word) {
#pragma unroll
        for (int i = 0; i < kPixels; ++i)
          loads[i].word[word] = base[i] == nullptr ? border : codes<unsigned>(i, at, border);
        at.advance(s, channels, 4);
      }
    }
    walk.advance(s, channels, static_cast<std::int32_t>(kConvDepth));
  }
};

/// What one thread fetches of the weight: the same part of the depth, for a few rows.
template <int kRows>
struct WeightReader {
  static constexpr int kLines = (kRows * kConvLoads + kThreads - 1) / kThreads;
  static constexpr int kLinesApart = kThreads / kConvLoads;

  const std::int8_t* weight;
  std::int64_t depth;
  std::int32_t row, rows;  // the first of this thread, and where the group ends

  __device__ bool has(int i) const {
    const int line = static_cast<int>(threadIdx.x) / kConvLoads + i * kLinesApart;
    return line < kRows && row + i * kLinesApart < rows;
  }
  __device__ void fetch(std::int64_t step, StagedLoad (&loads)[kLines]) const {
    const std::int64_t first = step * kConvDepth + threadIdx.x % kConvLoads * 16;
#pragma unroll
    for (int i = 0; i < kLines; ++i)
      loads[i] =
          has(i) ? load_line(weight + std::int64_t{row + i * kLinesApart} * depth + first) : StagedLoad{};
  }
};

template <int kLines>
__device__ void stage_lines(unsigned (*tile)[kConvLine], int lines, const StagedLoad (&loads)[kLines]) {
  const int part = static_cast<int>(threadIdx.x) % kConvLoads * 4;
#pragma unroll
  for (int i = 0; i < kLines; ++i) {
    const int line = static_cast<int>(threadIdx.x) / kConvLoads + i * (kThreads / kConvLoads);
    if (line >= lines) continue;
    *reinterpret_cast<uint4*>(&tile[line][part]) = {loads[i].word[0], loads[i].word[1], loads[i].word[2],
                                                    loads[i].word[3]};
  }
}

/// The sums of one warp: 32 channels times kColumns * 8 pixels.
template <int kColumns>
struct WarpSums {
  FragmentSums sums[2][kColumns];

  /// One staged depth. `rows` and `pixels` begin at the warp's first line.
  __device__ void add(const unsigned (*rows)[kConvLine], const unsigned (*pixels)[kConvLine]) {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int word = 0; word < kConvWords; word += 8) {
      FragmentA a[2];
#pragma unroll
      for (int i = 0; i < 2; ++i)
        a[i] = {{rows[16 * i + g][word + t], rows[16 * i + g + 8][word + t], rows[16 * i + g][word + t + 4],
                 rows[16 * i + g + 8][word + t + 4]}};
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const FragmentB b{{pixels[8 * j + g][word + t], pixels[8 * j + g][word + t + 4]}};
#pragma unroll
        for (int i = 0; i < 2; ++i) multiply_fragments(a[i], b, sums[i][j]);
      }
    }
  }
};

/// y of two neighbouring pixels n and n + 1 of one channel.
struct ConvOutput {
  const Conv2dCodes& args;
  const ConvSizes& s;
  std::int64_t count;  // pixels
  bool fits;

  __device__ float value(std::int32_t channel, std::int32_t sum) const {
    const float y =
        static_cast<float>(sum - __ldg(args.terms.correction + channel)) * __ldg(args.terms.scale + channel);
    return args.terms.bias == nullptr ? y : y + __ldg(args.terms.bias + channel);
  }
  __device__ float* place(std::int32_t channel, const Divided& at) const {
    return args.y + (at.quotient * s.out_channels + channel) * s.pixels() + at.remainder;
  }
  /// The channels `channel` and `channel` + 8 below `channels`.
  __device__ void store(std::int32_t channel, std::int32_t channels, std::int64_t n,
                        const FragmentSums& sums) const {
    if (n >= count) return;
    const Divided first = divided(n, s.pixels(), fits);
    const bool has_next = n + 1 < count, is_same = first.remainder + 1 < s.pixels();
    const Divided next =
        is_same ? Divided{first.quotient, first.remainder + 1} : Divided{first.quotient + 1, 0};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::int32_t c = channel + 8 * i;
      if (c >= channels) continue;
      const float y[2] = {value(c, sums.sum[2 * i]), value(c, sums.sum[2 * i + 1])};
      float* const to = place(c, first);
      if (has_next && is_same && is_aligned<float2>(to)) {
        *reinterpret_cast<float2*>(to) = {y[0], y[1]};
        continue;
      }
      *to = y[0];
      if (has_next) *place(c, next) = y[1];
    }
  }
};

/// Tiles of kWarpRows * 32 channels times kConvPixels pixels. kWideChannels: a group's channels are a
/// multiple of 16 bytes. Launch with any number of blocks.
template <int kWarpRows, bool kWideChannels>
__global__ void __launch_bounds__(kThreads)
    conv2d_codes(Conv2dCodes args, ConvSizes s, std::int64_t images, std::int64_t depth) {
  constexpr int kRows = 32 * kWarpRows, kWarpColumns = kThreads / 32 / kWarpRows;
  constexpr int kColumns = kConvPixels / 8 / kWarpColumns;
  alignas(16) __shared__ unsigned rows[2][kRows][kConvLine];
  alignas(16) __shared__ unsigned pixels[2][kConvPixels][kConvLine];
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int own_row = warp % kWarpRows * 32, own_pixel = warp / kWarpRows * kColumns * 8;
  const std::int64_t count = images * s.pixels(), steps = depth / kConvDepth;
  const bool fits = count + kConvPixels <= UINT32_MAX;
  const std::int64_t tiles_down = (s.group_outputs() + kRows - 1) / kRows;
  const std::int64_t tiles_across = (count + kConvPixels - 1) / kConvPixels;
  const ConvOutput output{args, s, count, fits};
  PixelReader<kWideChannels> reader(args, s);
  int buffer = 0;
  for (std::int64_t tile = blockIdx.x; tile < tiles_down * tiles_across * s.groups; tile += gridDim.x) {
    const auto group = static_cast<std::int32_t>(tile / (tiles_down * tiles_across));
    const std::int64_t in_group = tile % (tiles_down * tiles_across);
    const auto first_row =
        static_cast<std::int32_t>(group * s.group_outputs() + in_group % tiles_down * kRows);
    const std::int32_t end_row = (group + 1) * s.group_outputs();
    const std::int64_t first_pixel = in_group / tiles_down * kConvPixels;
    const WeightReader<kRows> weights{
        args.weight, depth, first_row + static_cast<std::int32_t>(threadIdx.x) / kConvLoads, end_row};
    reader.begin(first_pixel, count, group, fits);
    WarpSums<kColumns> sums;
    StagedLoad next_rows[WeightReader<kRows>::kLines], next_pixels[PixelReader<kWideChannels>::kPixels];
    weights.fetch(0, next_rows);
    reader.fetch(next_pixels);
    for (std::int64_t step = 0; step < steps; ++step, buffer ^= 1) {
      stage_lines(rows[buffer], kRows, next_rows);
      stage_lines(pixels[buffer], kConvPixels, next_pixels);
      __syncthreads();  // what the other buffer held was read before the barrier of the step before
      if (step + 1 < steps) {
        weights.fetch(step + 1, next_rows);
        reader.fetch(next_pixels);
      }
      sums.add(&rows[buffer][own_row], &pixels[buffer][own_pixel]);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < kColumns; ++j)
        output.store(first_row + own_row + 16 * i + lane / 4, end_row,
                     first_pixel + own_pixel + 8 * j + lane % 4 * 2, sums.sums[i][j]);
  }
}

}  // namespace samebits::kernels::cuda
