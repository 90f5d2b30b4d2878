// kernels/matmul/float_gemm.h with Highway. This file is compiled once for every instruction set. Lanes are
// columns. A tile of y stays in registers for a block of the depth and goes on from what it stored there with
// the next block: a float32 that is stored and loaded is the same, so no chain is split.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/float_gemm.cpp"
#include "kernels/matmul/reference/float_gemm.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
namespace {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(HWY_NATIVE_FMA, "hn::MulAdd would round twice");

using Tag = hn::ScalableTag<float>;
using Float = hn::Vec<Tag>;
constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));
/// Of a tile: 24 sums where there are 32 registers, 12 where there are 16.
constexpr int kRows = 6, kVectors = HWY_TARGET == HWY_AVX2 ? 2 : 4;
constexpr std::int64_t kColumns = kVectors * kLanes;
constexpr std::int64_t kDepth = 512;  // of a block: 32 KB for 16 columns of b
constexpr std::int64_t kWidth = 512;  // columns whose block of b stays in the second-level cache: 1 MB

/// Depth [begin, end) of the columns from `column` on, of which `columns` are there.
struct Block {
  std::int64_t begin, end, column, columns;
};

HWY_INLINE Float load(const float* from, std::int64_t count) {
  if (count >= kLanes) return hn::LoadU(Tag(), from);
  HWY_ALIGN float lanes[kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(Tag(), lanes);
}
HWY_INLINE void store(Float value, float* to, std::int64_t count) {
  if (count >= kLanes) return hn::StoreU(value, Tag(), to);
  HWY_ALIGN float lanes[kLanes];
  hn::Store(value, Tag(), lanes);
  for (std::int64_t i = 0; i < count; ++i) to[i] = lanes[i];
}

/// What the last block of a chain ends with.
HWY_INLINE Float finished(const FloatGemmArgs& args, Float t, std::int64_t row, std::int64_t column,
                          std::int64_t count) {
  const auto of_channels = [&](const float* terms) {
    return args.channels_are_rows ? hn::Set(Tag(), terms[row]) : load(terms + column, count);
  };
  if (args.channel_scale != nullptr) t = hn::Mul(t, of_channels(args.channel_scale));
  if (args.bias != nullptr) t = hn::Add(t, of_channels(args.bias));
  const hn::RebindToUnsigned<Tag> bits;
  return hn::IfThenElse(hn::IsNaN(t), hn::BitCast(Tag(), hn::Set(bits, 0x7FC00000u)), t);
}

template <int kTileRows>
void tile(const FloatGemmArgs& args, std::int64_t row, const Block& block) {
  const float* a = args.a + row * args.a_stride + block.begin;
  float* const y = args.y + row * args.y_stride + block.column;
  const float* b[kVectors];
  Float sums[kTileRows][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t lane = block.column + v * kLanes;
    // Vectors without columns read those of the first one: never past the matrix, and nothing of them is
    // stored.
    const std::int64_t column = v * kLanes < block.columns ? lane : block.column;
    b[v] = args.b + column / kColumnBlock * kColumnBlock * args.k + block.begin * kColumnBlock +
           column % kColumnBlock;
    for (int r = 0; r < kTileRows; ++r)
      sums[r][v] = block.begin == 0 ? hn::Zero(Tag())
                                    : load(y + r * args.y_stride + v * kLanes, block.columns - v * kLanes);
  }
  for (std::int64_t p = 0; p < block.end - block.begin; ++p) {
    Float line[kVectors];
    for (int v = 0; v < kVectors; ++v) line[v] = hn::LoadU(Tag(), b[v] + p * kColumnBlock);
    for (int r = 0; r < kTileRows; ++r) {
      const Float factor = hn::Set(Tag(), a[r * args.a_stride + p]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, line[v], sums[r][v]);
    }
  }
  for (int r = 0; r < kTileRows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t count = block.columns - v * kLanes;
      if (count <= 0) break;
      const Float t = block.end < args.k
                          ? sums[r][v]
                          : finished(args, sums[r][v], row + r, block.column + v * kLanes, count);
      store(t, y + r * args.y_stride + v * kLanes, count);
    }
}

template <int kTileRows = kRows>
void tile_of(const FloatGemmArgs& args, std::int64_t row, std::int64_t rows, const Block& block) {
  if (rows >= kTileRows) return tile<kTileRows>(args, row, block);
  if constexpr (kTileRows > 1) tile_of<kTileRows - 1>(args, row, rows, block);
}

}  // namespace

void float_gemm(const FloatGemmArgs& args, const GemmRegion& region) {
  for (std::int64_t first = region.column_begin; first < region.column_end; first += kWidth) {
    const std::int64_t last = std::min(first + kWidth, region.column_end);
    for (std::int64_t begin = 0; begin == 0 || begin < args.k; begin += kDepth) {
      const std::int64_t end = std::min(begin + kDepth, args.k);
      for (std::int64_t row = region.row_begin; row < region.row_end; row += kRows)
        for (std::int64_t column = first; column < last; column += kColumns)
          tile_of(args, row, region.row_end - row, {begin, end, column, last - column});
    }
  }
}
#else  // no fused instruction: no list names it
void float_gemm(const FloatGemmArgs& args, const GemmRegion& region) {
  reference::float_gemm(args, region);
}
#endif

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(float_gemm, "float_gemm");
}  // namespace samebits::kernels
#endif  // HWY_ONCE
