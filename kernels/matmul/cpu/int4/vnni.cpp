// gemm_int4 for many rows with VNNI: a chunk of groups of 32 columns is unpacked once and multiplied with all
// rows of a batch, six at a time. Sums start where they cancel a's zero point, so that a group ends with a
// conversion, a multiplication and an addition.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int4/vnni.cpp"
#include <algorithm>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/matmul/cpu/int4/finish-inl.h"
#include "kernels/matmul/cpu/int4/kernels.h"
#include "kernels/matmul/cpu/int4/panel-inl.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/cpu/int4/scratch.h"

#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kColumns = Int4Shape::kColumns;
constexpr std::int64_t kTileRows = 6, kBlocks = 2;  // 12 sums, 12 totals
constexpr std::int64_t kBatchBytes = 1 << 20;       // of a: half of a usual second-level cache
constexpr std::int64_t kChunkDepth = 512;           // of a panel: 16 KiB of the first-level cache

/// What one call works in. Codes are stored as code + 128, unsigned as vpdpbusd wants them; padding is 0.
struct Work {
  std::int64_t rows, padded, chunk;  // rows of a batch, codes of a padded group, groups of a chunk
  std::uint8_t* a;                   // [rows][groups][padded]
  std::int8_t* panel;                // [chunk][kBlocks][padded / 4][16][4]
  std::int32_t* start;               // [chunk][kBlocks][16]
  float* totals;                     // [rows][kBlocks][16]
};

Work make_work(const Int4Shape& shape, std::int64_t rows) {
  Work work{};
  work.padded = shape.lines() * Int4Shape::kLineDepth;
  const std::int64_t fitting = kBatchBytes / std::max<std::int64_t>(1, shape.groups() * work.padded);
  work.rows = std::min(rows, std::clamp<std::int64_t>(fitting / kTileRows, 4, 42) * kTileRows);
  work.chunk = std::min(shape.groups(),
                        std::max<std::int64_t>(1, kChunkDepth / std::max<std::int64_t>(1, work.padded)));
  cut_scratch([&](ScratchCutter& cutter) {
    work.a = cutter.take<std::uint8_t>(work.rows * shape.groups() * work.padded);
    work.panel = cutter.take<std::int8_t>(work.chunk * kBlocks * work.padded * Int4Shape::kColumns);
    work.start = cutter.take<std::int32_t>(work.chunk * kBlocks * Int4Shape::kColumns);
    work.totals = cutter.take<float>(work.rows * kBlocks * Int4Shape::kColumns);
  });
  return work;
}

void copy_rows(const GemmInt4Args& args, const Work& work, std::int64_t row, std::int64_t rows) {
  const Int4Shape& shape = args.b.shape;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      const std::int8_t* from = args.a + (row + r) * args.a_stride + group * shape.depth();
      std::uint8_t* to = work.a + (r * shape.groups() + group) * work.padded;
      const std::int64_t depth = shape.depth_of(group);
      for (std::int64_t i = 0; i < depth; ++i) to[i] = static_cast<std::uint8_t>(from[i] + 128);
      std::memset(to + depth, 0, static_cast<std::size_t>(work.padded - depth));
    }
  }
}

HWY_INLINE Ints multiply_quads(Ints sum, Ints a, Ints b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}

/// Sums of `Rows` rows over one group of the panel.
template <std::int64_t Rows>
HWY_INLINE void multiply_group(const std::uint8_t* a, std::int64_t a_stride, const std::int8_t* panel,
                               const std::int32_t* start, std::int64_t padded, Ints (&sums)[Rows][kBlocks]) {
  for (std::int64_t r = 0; r < Rows; ++r)
    for (std::int64_t i = 0; i < kBlocks; ++i) sums[r][i] = hn::LoadU(i32, start + i * Int4Shape::kColumns);
  for (std::int64_t k = 0; k < padded; k += 4) {
    const auto left = hn::LoadU(i32, reinterpret_cast<const std::int32_t*>(panel + k * 16));
    const auto right = hn::LoadU(i32, reinterpret_cast<const std::int32_t*>(panel + (padded + k) * 16));
    for (std::int64_t r = 0; r < Rows; ++r) {
      const auto codes = broadcast_quad(reinterpret_cast<const std::int8_t*>(a + r * a_stride + k));
      sums[r][0] = multiply_quads(sums[r][0], codes, left);
      sums[r][1] = multiply_quads(sums[r][1], codes, right);
    }
  }
}

/// Two blocks of columns, of which those before `end` are stored, and all rows of a batch, whose first is
/// `row`.
struct Place {
  std::int64_t row, rows, block, end;
};

/// Rows [r, r + Rows) of the batch over groups [first, first + count), which the panel holds. Adds to
/// totals[r][32], and ends the rows with the last group.
template <std::int64_t Rows>
HWY_INLINE void multiply_tile(const GemmInt4Args& args, const Work& work, const Place& place, std::int64_t r,
                              std::int64_t first, std::int64_t count) {
  const Int4Shape& shape = args.b.shape;
  const std::int64_t a_stride = shape.groups() * work.padded, column = place.block * kColumns;
  const bool is_last = first + count == shape.groups();
  if (is_last)
    for (std::int64_t i = 0; i < kBlocks; ++i)
      prefetch_output(args.output, shape.n, place.row + r, Rows, column + i * kColumns);
  float* memory = work.totals + r * kBlocks * kColumns;
  Floats totals[Rows][kBlocks];
  for (std::int64_t i = 0; i < Rows * kBlocks; ++i)
    totals[i / kBlocks][i % kBlocks] = first == 0 ? hn::Zero(f32) : hn::Load(f32, memory + i * kColumns);
  const auto a_scale = hn::Set(f32, args.a_scale);
  for (std::int64_t group = 0; group < count; ++group) {
    Ints sums[Rows][kBlocks];
    multiply_group<Rows>(work.a + r * a_stride + (first + group) * work.padded, a_stride,
                         work.panel + group * kBlocks * work.padded * kColumns,
                         work.start + group * kBlocks * kColumns, work.padded, sums);
    for (std::int64_t i = 0; i < kBlocks; ++i) {
      const auto scale = block_scales(args.b, place.block + i, first + group);
      for (std::int64_t j = 0; j < Rows; ++j) {
        const auto exact = hn::ConvertTo(f32, sums[j][i]);
        totals[j][i] = shape.group_size == 0 ? hn::Mul(exact, hn::Mul(a_scale, scale))
                                             : hn::Add(totals[j][i], hn::Mul(exact, scale));
      }
    }
  }
  for (std::int64_t i = 0; i < Rows * kBlocks; ++i)
    hn::Store(totals[i / kBlocks][i % kBlocks], f32, memory + i * kColumns);
  for (std::int64_t i = 0; is_last && i < Rows * kBlocks; ++i) {
    if (place.block + i % kBlocks >= place.end) continue;
    const auto total = hn::Load(f32, memory + i * kColumns);
    finish_sums(args.output, shape.n, place.row + r + i / kBlocks, column + i % kBlocks * kColumns,
                shape.group_size == 0 ? total : hn::Mul(total, a_scale));
  }
}

void multiply_blocks(const GemmInt4Args& args, const Work& work, const Place& place) {
  const std::int64_t groups = args.b.shape.groups();
  for (std::int64_t first = 0; first < groups; first += work.chunk) {
    const std::int64_t count = std::min(work.chunk, groups - first);
    for (std::int64_t i = 0; i < count * kBlocks; ++i)
      unpack_group(args.b, place.block + i % kBlocks, first + i / kBlocks, work.padded / 4,
                   args.a_zero_point + 128, work.panel + i * work.padded * kColumns,
                   work.start + i * kColumns);
    std::int64_t r = 0;
    for (; r + kTileRows <= place.rows; r += kTileRows)
      multiply_tile<kTileRows>(args, work, place, r, first, count);
    for (; r + 2 <= place.rows; r += 2) multiply_tile<2>(args, work, place, r, first, count);
    for (; r < place.rows; ++r) multiply_tile<1>(args, work, place, r, first, count);
  }
}

}  // namespace

void gemm_int4_many_rows(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                         std::int64_t column_begin, std::int64_t column_end) {
  const std::int64_t block_end = (column_end + Int4Shape::kColumns - 1) / Int4Shape::kColumns;
  const Work work = make_work(args.b.shape, row_end - row_begin);
  for (std::int64_t row = row_begin; row < row_end; row += work.rows) {
    const std::int64_t rows = std::min(work.rows, row_end - row);
    copy_rows(args, work, row, rows);
    for (std::int64_t block = column_begin / Int4Shape::kColumns; block < block_end; block += kBlocks)
      multiply_blocks(args, work, {row, rows, block, block_end});
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
