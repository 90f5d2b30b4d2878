// kernels/matmul/gemm_int4.h for few rows on CUDA. A block makes the 16 columns of a block of the packing: 16
// threads a column, its slots, take groups, or parts of a group of codes, whose sums are exact; then a thread
// a result adds the groups, ascending, as the contract says.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/matmul/cuda/dot_product.cuh"
#include "kernels/matmul/cuda/gemv_int4.h"

namespace samebits::kernels::cuda {

constexpr int kColumns = static_cast<int>(Int4Shape::kColumns), kSlots = kThreads / kColumns;

/// What a thread of a block is to the 16 columns.
struct SlotThread {
  int column = static_cast<int>(threadIdx.x) % kColumns, slot = static_cast<int>(threadIdx.x) / kColumns;
};

/// Eight levels of a column: the first four in the low nibbles.
__device__ inline unsigned load_levels(const std::uint8_t* levels) {
  if (is_aligned<unsigned>(levels)) return *reinterpret_cast<const unsigned*>(levels);
  return levels[0] | static_cast<unsigned>(levels[1]) << 8 | static_cast<unsigned>(levels[2]) << 16 |
         static_cast<unsigned>(levels[3]) << 24;
}

/// Four codes, `count` of which exist; zeros behind them.
__device__ inline unsigned load_codes(const std::int8_t* codes, std::int64_t count) {
  if (count >= 4 && is_aligned<unsigned>(codes)) return *reinterpret_cast<const unsigned*>(codes);
  unsigned word = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) word |= (static_cast<unsigned>(codes[i]) & 0xFFu) << (8 * i);
  return word;
}

__device__ inline std::int32_t zero_level(const PackedInt4& b, std::int64_t term) {
  return b.zero_level == nullptr ? b.zero : __ldg(b.zero_level + term);
}

/// Bias, relu and store of one result.
__device__ inline void finish(const Int4Output& output, std::int64_t row, std::int64_t column, float y) {
  if (output.bias != nullptr) y = y + __ldg(output.bias + column);
  if (output.relu && y < 0.0f) y = 0.0f;
  output.y[row * output.stride + column] = y;
}

/// A tile: a block of 16 columns and kRows rows from `row` on.
struct GemvTile {
  std::int64_t block, row;
  template <int kRows>
  __device__ static GemvTile at(std::int64_t tile, std::int64_t m) {
    const std::int64_t row_tiles = (m + kRows - 1) / kRows;
    return {tile / row_tiles, tile % row_tiles * kRows};
  }
};

/// `parts` slots, a power of two up to kSlots, share a group. Launch with any number of blocks.
template <int kRows>
__global__ void __launch_bounds__(kThreads) gemv_int4(GemvInt4Args args, std::int64_t tiles, int parts) {
  __shared__ std::int32_t products[kRows][kSlots][kColumns];
  __shared__ std::int32_t level_sums[kSlots][kColumns];
  __shared__ std::int32_t code_sums[kRows][kSlots];
  const PackedInt4& b = args.b;
  const Int4Shape& shape = b.shape;
  const SlotThread own;
  const std::int64_t groups = shape.groups(), at_once = kSlots / parts;
  for (std::int64_t i = blockIdx.x; i < tiles; i += gridDim.x) {
    const GemvTile tile = GemvTile::at<kRows>(i, args.m);
    float total = 0.0f;
    for (std::int64_t base = 0; base < groups; base += at_once) {
      const std::int64_t group = base + own.slot / parts;
      std::int32_t sums[kRows] = {}, codes[kRows] = {}, levels = 0;
      if (group < groups) {
        const std::int64_t depth = shape.depth_of(group), lines = (depth + 7) / 8;
        const std::int64_t per_part = (lines + parts - 1) / parts, first = own.slot % parts * per_part;
        const std::int64_t last = first + per_part < lines ? first + per_part : lines;
        const std::uint8_t* const column = b.levels + shape.line_offset(tile.block, group) + 4 * own.column;
#pragma unroll kRows == 1 ? 8 : 2
        for (std::int64_t line = first; line < last; ++line) {
          const unsigned word = load_levels(column + line * Int4Shape::kLineBytes);
          const unsigned low = word & 0x0F0F0F0Fu, high = word >> 4 & 0x0F0F0F0Fu;
          levels = dot4(0x01010101u, high, dot4(0x01010101u, low, levels));
#pragma unroll
          for (int r = 0; r < kRows; ++r) {
            if (tile.row + r >= args.m) continue;
            const std::int8_t* const a =
                args.a + (tile.row + r) * args.a_stride + group * shape.depth() + line * 8;
            const unsigned a_low = load_codes(a, depth - line * 8),
                           a_high = load_codes(a + 4, depth - line * 8 - 4);
            sums[r] = dot4(a_high, high, dot4(a_low, low, sums[r]));
            codes[r] = dot4(0x01010101u, a_high, dot4(0x01010101u, a_low, codes[r]));
          }
        }
      }
      level_sums[own.slot][own.column] = levels;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        products[r][own.slot][own.column] = sums[r];
        if (own.column == 0) code_sums[r][own.slot] = codes[r];
      }
      __syncthreads();
      if (own.slot < kRows) {  // row own.slot of the tile
        for (int g = 0; g < at_once && base + g < groups; ++g) {
          std::int32_t product = 0, level_sum = 0, code_sum = 0;
          for (int slot = g * parts; slot < (g + 1) * parts; ++slot) {
            product += products[own.slot][slot][own.column];
            level_sum += level_sums[slot][own.column];
            code_sum += code_sums[own.slot][slot];
          }
          const std::int64_t term = shape.term_offset(tile.block, base + g) + own.column;
          const std::int32_t zero = zero_level(b, term),
                             depth = static_cast<std::int32_t>(shape.depth_of(base + g));
          const float sum = static_cast<float>(product - zero * code_sum -
                                               __ldg(args.a_zero_point) * (level_sum - zero * depth));
          const float scale = __ldg(b.scale + term);
          total = shape.group_size == 0 ? sum * (__ldg(args.a_scale) * scale) : total + sum * scale;
        }
      }
      __syncthreads();
    }
    const std::int64_t row = tile.row + own.slot, column = tile.block * kColumns + own.column;
    if (own.slot >= kRows || row >= args.m || column >= shape.n) continue;
    finish(args.output, row, column, shape.group_size == 0 ? total : total * __ldg(args.a_scale));
  }
}

/// A slot a group: its four chains of fused sums have one order.
template <class Stored, int kRows>
__global__ void __launch_bounds__(kThreads) gemv_float_int4(GemvFloatInt4Args args, std::int64_t tiles) {
  __shared__ float sums[kRows][kSlots][kColumns];
  const PackedInt4& b = args.b;
  const Int4Shape& shape = b.shape;
  const SlotThread own;
  const std::int64_t groups = shape.groups();
  for (std::int64_t i = blockIdx.x; i < tiles; i += gridDim.x) {
    const GemvTile tile = GemvTile::at<kRows>(i, args.m);
    float total = 0.0f;
    for (std::int64_t base = 0; base < groups; base += kSlots) {
      const std::int64_t group = base + own.slot;
      float chain[kRows][4] = {};
      if (group < groups) {
        const std::int64_t depth = shape.depth_of(group), lines = (depth + 7) / 8;
        const std::int32_t zero = zero_level(b, shape.term_offset(tile.block, group) + own.column);
        const std::uint8_t* const column = b.levels + shape.line_offset(tile.block, group) + 4 * own.column;
#pragma unroll 4
        for (std::int64_t line = 0; line < lines; ++line) {
          const unsigned word = load_levels(column + line * Int4Shape::kLineBytes);
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const std::int64_t k = line * 8 + half * 4, left = depth - k;
            const int count = static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4);
#pragma unroll
            for (int r = 0; r < kRows; ++r) {
              if (tile.row + r >= args.m) continue;
              float x[4];
              load_reals<Stored>(args.x, (tile.row + r) * args.x_stride + group * shape.depth() + k, count,
                                 x);
#pragma unroll
              for (int j = 0; j < 4; ++j) {
                const std::int32_t level = static_cast<std::int32_t>(word >> (8 * j + 4 * half) & 0xFu);
                if (j < count) chain[r][j] = __fmaf_rn(x[j], static_cast<float>(level - zero), chain[r][j]);
              }
            }
          }
        }
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        sums[r][own.slot][own.column] = (chain[r][0] + chain[r][1]) + (chain[r][2] + chain[r][3]);
      __syncthreads();
      if (own.slot < kRows)  // row own.slot of the tile
        for (int g = 0; g < kSlots && base + g < groups; ++g)
          total = __fmaf_rn(sums[own.slot][g][own.column],
                            __ldg(b.scale + shape.term_offset(tile.block, base + g) + own.column), total);
      __syncthreads();
    }
    const std::int64_t row = tile.row + own.slot, column = tile.block * kColumns + own.column;
    if (own.slot >= kRows || row >= args.m || column >= shape.n) continue;
    finish(args.output, row, column, total);
  }
}

}  // namespace samebits::kernels::cuda
