// gemm_float_int4 with Highway. Levels become floats in registers for a few rows, once a group in a panel for
// many. Lanes are columns, so that each lane keeps the order of sums that the contract names. Compiled once
// for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int4/floats.cpp"
#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/common/float_type.h"
#include "kernels/matmul/cpu/int4/finish-inl.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/cpu/int4/scratch.h"
#include "kernels/matmul/reference/gemm_int4.h"

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTileRows = HWY_TARGET == HWY_AVX2 ? 3 : 6;  // times four sums stay in registers
constexpr std::int64_t kBatchRows = 96;                             // rows widened at a time
constexpr std::int64_t kPanelRows = 2 * kTileRows + 1;              // from so many on a panel pays

/// Rows of x as floats, each group of each row padded with 0 to whole lines, which adds exactly nothing. Rows
/// are grouped into tiles, in which they alternate, so that a tile reads one stream.
struct FloatBatch {
  std::int64_t rows, padded;  // padded: values of a group
  float* x;                   // [groups][tiles][padded][rows of the tile]
  float* totals;              // [rows][16]
  float* panel;               // [padded][16]
};

float value_at(const GemmFloatInt4Args& args, std::int64_t index) {
  if (args.x_type == FloatType::kFloat32) return static_cast<const float*>(args.x)[index];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(args.x)[index];
  return args.x_type == FloatType::kBfloat16 ? to_float(Bfloat16{bits}) : to_float(Float16{bits});
}

/// How many rows the next tile has when `rows` are left.
constexpr std::int64_t tile_rows(std::int64_t rows) {
  if (rows >= kTileRows) return kTileRows;
  return kTileRows > 4 && rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

/// One group of `rows` rows from `row` on, as [padded][rows].
void widen_tile(const GemmFloatInt4Args& args, std::int64_t row, std::int64_t rows, std::int64_t group,
                std::int64_t padded, float* to) {
  const std::int64_t depth = args.b.shape.depth_of(group);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t from = (row + r) * args.x_stride + group * args.b.shape.depth();
    for (std::int64_t i = 0; i < depth; ++i) to[i * rows + r] = value_at(args, from + i);
    for (std::int64_t i = depth; i < padded; ++i) to[i * rows + r] = 0.0f;
  }
}

FloatBatch widen_rows(const GemmFloatInt4Args& args, std::int64_t row, std::int64_t rows) {
  const Int4Shape& shape = args.b.shape;
  FloatBatch batch{rows, shape.lines() * Int4Shape::kLineDepth, nullptr, nullptr, nullptr};
  cut_scratch([&](ScratchCutter& cutter) {
    batch.x = cutter.take<float>(shape.groups() * rows * batch.padded);
    batch.totals = cutter.take<float>(rows * Int4Shape::kColumns);
    batch.panel = cutter.take<float>(batch.padded * Int4Shape::kColumns);
  });
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    float* to = batch.x + group * rows * batch.padded;
    for (std::int64_t r = 0; r < rows; to += tile_rows(rows - r) * batch.padded, r += tile_rows(rows - r))
      widen_tile(args, row + r, tile_rows(rows - r), group, batch.padded, to);
  }
  return batch;
}

/// Levels as floats, less their zero points. AVX-512 looks a level up, the others convert it.
template <bool HasZeroLevels>
struct LevelTable {
  Floats table, zero;

  LevelTable(const PackedInt4& b, std::int64_t term) {
    const hn::Rebind<std::uint8_t, IntTag> u8;
    const float shared_zero = HasZeroLevels ? 0.0f : static_cast<float>(b.zero);
    zero = HasZeroLevels ? hn::ConvertTo(f32, hn::PromoteTo(i32, hn::LoadU(u8, b.zero_level + term)))
                         : hn::Set(f32, shared_zero);
    table = hn::Sub(hn::ConvertTo(f32, hn::Iota(i32, 0)), hn::Set(f32, shared_zero));
  }
  /// Of the levels in bits kShift to kShift + 3 of each lane.
  template <int kShift>
  HWY_INLINE Floats value(Words line) const {
    const auto shifted = hn::ShiftRight<kShift>(line);
#if HWY_TARGET == HWY_AVX3
    const Floats level{_mm512_permutexvar_ps(shifted.raw, table.raw)};  // reads four bits a lane
    return HasZeroLevels ? hn::Sub(level, zero) : level;
#else
    return hn::Sub(hn::ConvertTo(f32, hn::BitCast(i32, hn::And(shifted, hn::Set(u32, 15u)))), zero);
#endif
  }
};

/// Weights of a line: decoded now, or from a panel.
template <bool HasZeroLevels>
struct PackedLines {
  LevelTable<HasZeroLevels> table;
  const std::uint8_t* levels;
  Words line;

  HWY_INLINE void load(std::int64_t index) {
    line = hn::LoadU(u32, reinterpret_cast<const std::uint32_t*>(levels + index * Int4Shape::kLineBytes));
  }
  template <int kStep>
  HWY_INLINE Floats value() const {
    return table.template value<kStep % 4 * 8 + kStep / 4 * 4>(line);
  }
};
struct PanelLines {
  const float* panel;
  const float* line = nullptr;

  HWY_INLINE void load(std::int64_t index) {
    line = panel + index * Int4Shape::kLineDepth * Int4Shape::kColumns;
  }
  template <int kStep>
  HWY_INLINE Floats value() const {
    return hn::LoadU(f32, line + kStep * Int4Shape::kColumns);
  }
};

template <int kStep, class Lines, std::int64_t Rows>
HWY_INLINE void multiply_step(const Lines& lines, const float* x, Floats (&sums)[Rows][4]) {
  const auto weight = lines.template value<kStep>();
  for (std::int64_t r = 0; r < Rows; ++r)
    sums[r][kStep % 4] = hn::MulAdd(hn::Set(f32, x[kStep * Rows + r]), weight, sums[r][kStep % 4]);
}

/// One group of `Rows` rows; adds to `totals`, rows of 16, or starts them.
template <std::int64_t Rows, class Lines>
HWY_INLINE void multiply_group(Lines lines, std::int64_t line_count, const float* x, Floats scale,
                               bool is_first, float* totals) {
  Floats sums[Rows][4];
  for (std::int64_t r = 0; r < Rows; ++r)
    for (int j = 0; j < 4; ++j) sums[r][j] = hn::Zero(f32);
  for (std::int64_t line = 0; line < line_count; ++line, x += Int4Shape::kLineDepth * Rows) {
    lines.load(line);
    multiply_step<0>(lines, x, sums);
    multiply_step<1>(lines, x, sums);
    multiply_step<2>(lines, x, sums);
    multiply_step<3>(lines, x, sums);
    multiply_step<4>(lines, x, sums);
    multiply_step<5>(lines, x, sums);
    multiply_step<6>(lines, x, sums);
    multiply_step<7>(lines, x, sums);
  }
  for (std::int64_t r = 0; r < Rows; ++r) {
    const auto sum = hn::Add(hn::Add(sums[r][0], sums[r][1]), hn::Add(sums[r][2], sums[r][3]));
    const auto before = is_first ? hn::Zero(f32) : hn::LoadU(f32, totals + r * Int4Shape::kColumns);
    hn::StoreU(hn::MulAdd(sum, scale, before), f32, totals + r * Int4Shape::kColumns);
  }
}

/// All rows of the batch over one group of one block, at `lane`.
template <class Lines>
HWY_INLINE void multiply_rows(const Lines& lines, const FloatBatch& batch, const PackedInt4& b,
                              std::int64_t group, std::int64_t term, std::int64_t lane) {
  const std::int64_t count = b.shape.lines();
  const auto scale = hn::LoadU(f32, b.scale + term);
  const float* x = batch.x + group * batch.rows * batch.padded;
  float* totals = batch.totals + lane;
  std::int64_t r = 0;
  const auto tile = [&]<std::int64_t Rows>() HWY_ATTR {
    for (; r + Rows <= batch.rows; r += Rows)
      multiply_group<Rows>(lines, count, x + r * batch.padded, scale, group == 0,
                           totals + r * Int4Shape::kColumns);
  };
  tile.template operator()<kTileRows>();
  if (kTileRows > 4) tile.template operator()<4>();
  tile.template operator()<2>();
  tile.template operator()<1>();
}

/// Decodes a group of a block into the panel.
template <bool HasZeroLevels>
HWY_INLINE void fill_panel(PackedLines<HasZeroLevels> lines, std::int64_t line_count, float* panel) {
  for (std::int64_t line = 0; line < line_count; ++line) {
    lines.load(line);
    float* to = panel + line * Int4Shape::kLineDepth * Int4Shape::kColumns;
    const auto store = [&]<int... kSteps>(std::integer_sequence<int, kSteps...>) HWY_ATTR {
      (hn::StoreU(lines.template value<kSteps>(), f32, to + kSteps * Int4Shape::kColumns), ...);
    };
    store(std::make_integer_sequence<int, 8>());
  }
}

template <bool HasZeroLevels>
HWY_INLINE void multiply_block(const GemmFloatInt4Args& args, const FloatBatch& batch, std::int64_t row,
                               std::int64_t block) {
  const Int4Shape& shape = args.b.shape;
  for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes()) {
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      const std::int64_t term = shape.term_offset(block, group) + lane;
      const PackedLines<HasZeroLevels> packed{LevelTable<HasZeroLevels>(args.b, term),
                                              args.b.levels + shape.line_offset(block, group) + 4 * lane,
                                              {}};
      if (batch.rows < kPanelRows) {
        multiply_rows(packed, batch, args.b, group, term, lane);
      } else {
        fill_panel(packed, shape.lines(), batch.panel + lane);
        multiply_rows(PanelLines{batch.panel + lane}, batch, args.b, group, term, lane);
      }
    }
  }
  for (std::int64_t r = 0; r < batch.rows; ++r)
    for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes())
      finish_sums(args.output, shape.n, row + r, block * Int4Shape::kColumns + lane,
                  hn::LoadU(f32, batch.totals + r * Int4Shape::kColumns + lane));
}

}  // namespace

void gemm_float_int4(const GemmFloatInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                     std::int64_t column_begin, std::int64_t column_end) {
  const std::int64_t block_begin = column_begin / Int4Shape::kColumns;
  const std::int64_t block_end = (column_end + Int4Shape::kColumns - 1) / Int4Shape::kColumns;
  for (std::int64_t row = row_begin; row < row_end; row += kBatchRows) {
    const FloatBatch batch = widen_rows(args, row, std::min(kBatchRows, row_end - row));
    for (std::int64_t block = block_begin; block < block_end; ++block) {
      if (args.b.zero_level == nullptr)
        multiply_block<false>(args, batch, row, block);
      else
        multiply_block<true>(args, batch, row, block);
    }
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(gemm_float_int4, "gemm_float_int4");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
