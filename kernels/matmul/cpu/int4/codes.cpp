// gemm_int4 with Highway: levels are masked and shifted in registers and multiplied as they are; the zero
// points of both sides are subtracted group by group. Lanes are columns. Compiled once for every instruction
// set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/int4/codes.cpp"
#include <algorithm>
#include <cstring>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/matmul/cpu/int4/finish-inl.h"
#include "kernels/matmul/cpu/int4/kernels.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/cpu/int4/scratch.h"
#include "kernels/matmul/reference/gemm_int4.h"

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace {

// Rows of a tile: as many as have registers for their sums and totals.
constexpr std::int64_t kTileRows = HWY_TARGET == HWY_AVX3 ? 8 : 4;
// Rows copied at a time: they and a block of levels stay in the cache.
constexpr std::int64_t kBatchRows = 64;

/// Rows of a, each group of each row padded with code 0 to whole lines: the kernel reads whole lines.
struct RowBatch {
  std::int64_t rows, padded;  // padded: codes of a group
  std::int8_t* codes;         // [groups][rows][padded]
  std::int32_t* sums;         // [groups][rows]: sums of code - a_zero_point
};

RowBatch copy_rows(const GemmInt4Args& args, std::int64_t row, std::int64_t rows) {
  const Int4Shape& shape = args.b.shape;
  RowBatch batch{rows, shape.lines() * Int4Shape::kLineDepth, nullptr, nullptr};
  cut_scratch([&](ScratchCutter& cutter) {
    batch.codes = cutter.take<std::int8_t>(shape.groups() * rows * batch.padded);
    batch.sums = cutter.take<std::int32_t>(shape.groups() * rows);
  });
  for (std::int64_t group = 0; group < shape.groups(); ++group) {
    const std::int64_t depth = shape.depth_of(group);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int8_t* from = args.a + (row + r) * args.a_stride + group * shape.depth();
      std::int8_t* to = batch.codes + (group * rows + r) * batch.padded;
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < depth; ++i) sum += from[i];
      std::memcpy(to, from, static_cast<std::size_t>(depth));
      std::memset(to + depth, 0, static_cast<std::size_t>(batch.padded - depth));
      batch.sums[group * rows + r] = sum - static_cast<std::int32_t>(depth) * args.a_zero_point;
    }
  }
  return batch;
}

/// A tile's sums of products with raw levels, and `zero_sum`: a_zero_point times the sum of the levels.
template <class Quads, std::int64_t Rows>
HWY_INLINE void multiply_group(const std::uint8_t* levels, std::int64_t lines, const std::int8_t* a,
                               std::int64_t a_stride, Ints a_zero, Ints (&sums)[Rows], Ints& zero_sum) {
  const auto low_nibbles = hn::Set(u32, 0x0F0F0F0Fu);
  for (std::int64_t r = 0; r < Rows; ++r) sums[r] = hn::Zero(i32);
  zero_sum = hn::Zero(i32);
  for (std::int64_t begin = 0; begin < lines; begin += Quads::kLines) {
    const std::int64_t end = begin + std::min(Quads::kLines, lines - begin);
    typename Quads::Sum chains[Rows][2], zero_chain = Quads::zero();
    for (std::int64_t r = 0; r < Rows; ++r) chains[r][0] = chains[r][1] = Quads::zero();
    for (std::int64_t line = begin; line < end; ++line) {
      const auto both =
          hn::LoadU(u32, reinterpret_cast<const std::uint32_t*>(levels + line * Int4Shape::kLineBytes));
      const auto low = hn::And(both, low_nibbles), high = hn::And(hn::ShiftRight<4>(both), low_nibbles);
      zero_chain = Quads::multiply(Quads::multiply(zero_chain, low, a_zero), high, a_zero);
      for (std::int64_t r = 0; r < Rows; ++r) {
        const std::int8_t* codes = a + r * a_stride + line * Int4Shape::kLineDepth;
        constexpr int kLast = Quads::kChains - 1;
        chains[r][0] = Quads::multiply(chains[r][0], low, broadcast_quad(codes));
        chains[r][kLast] = Quads::multiply(chains[r][kLast], high, broadcast_quad(codes + 4));
      }
    }
    zero_sum = hn::Add(zero_sum, Quads::close(zero_chain));
    for (std::int64_t r = 0; r < Rows; ++r) {
      sums[r] = hn::Add(sums[r], Quads::close(chains[r][0]));
      if (Quads::kChains == 2) sums[r] = hn::Add(sums[r], Quads::close(chains[r][1]));
    }
  }
}

HWY_INLINE Ints zero_levels(const PackedInt4& b, std::int64_t term) {
  const hn::Rebind<std::uint8_t, IntTag> u8;
  if (b.zero_level == nullptr) return hn::Set(i32, b.zero);
  return hn::PromoteTo(i32, hn::LoadU(u8, b.zero_level + term));
}

/// Rows [r, r + Rows) of the batch, whose first is row `first` of the output, over one block of columns.
template <class Quads, std::int64_t Rows>
HWY_INLINE void multiply_tile(const GemmInt4Args& args, const RowBatch& batch, std::int64_t first,
                              std::int64_t r, std::int64_t block) {
  const Int4Shape& shape = args.b.shape;
  const auto a_zero = hn::BitCast(
      i32, hn::Set(hn::Repartition<std::int8_t, IntTag>(), static_cast<std::int8_t>(args.a_zero_point)));
  const auto a_scale = hn::Set(f32, args.a_scale);
  for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes()) {
    Floats totals[Rows];
    for (std::int64_t i = 0; i < Rows; ++i) totals[i] = hn::Zero(f32);
    for (std::int64_t group = 0; group < shape.groups(); ++group) {
      Ints sums[Rows], zero_sum;
      multiply_group<Quads, Rows>(args.b.levels + shape.line_offset(block, group) + 4 * lane, shape.lines(),
                                  batch.codes + (group * batch.rows + r) * batch.padded, batch.padded, a_zero,
                                  sums, zero_sum);
      const std::int64_t term = shape.term_offset(block, group) + lane;
      const auto zeros = zero_levels(args.b, term);
      const auto scale = hn::LoadU(f32, args.b.scale + term);
      for (std::int64_t i = 0; i < Rows; ++i) {
        const auto rest = hn::Mul(zeros, hn::Set(i32, batch.sums[group * batch.rows + r + i]));
        const auto exact = hn::ConvertTo(f32, hn::Sub(hn::Sub(sums[i], zero_sum), rest));
        totals[i] = shape.group_size == 0 ? hn::Mul(exact, hn::Mul(a_scale, scale))
                                          : hn::Add(totals[i], hn::Mul(exact, scale));
      }
    }
    for (std::int64_t i = 0; i < Rows; ++i)
      finish_sums(args.output, shape.n, first + r + i, block * Int4Shape::kColumns + lane,
                  shape.group_size == 0 ? totals[i] : hn::Mul(totals[i], a_scale));
  }
}

template <class Quads>
HWY_INLINE void multiply(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                         std::int64_t column_begin, std::int64_t column_end) {
  const std::int64_t block_begin = column_begin / Int4Shape::kColumns;
  const std::int64_t block_end = (column_end + Int4Shape::kColumns - 1) / Int4Shape::kColumns;
  for (std::int64_t row = row_begin; row < row_end; row += kBatchRows) {
    const RowBatch batch = copy_rows(args, row, std::min(kBatchRows, row_end - row));
    for (std::int64_t block = block_begin; block < block_end; ++block) {
      std::int64_t r = 0;
      for (; r + kTileRows <= batch.rows; r += kTileRows)
        multiply_tile<Quads, kTileRows>(args, batch, row, r, block);
      if (kTileRows > 4 && r + 4 <= batch.rows) {
        multiply_tile<Quads, 4>(args, batch, row, r, block);
        r += 4;
      }
      if (r + 2 <= batch.rows) {
        multiply_tile<Quads, 2>(args, batch, row, r, block);
        r += 2;
      }
      if (r < batch.rows) multiply_tile<Quads, 1>(args, batch, row, r, block);
    }
  }
}

}  // namespace

void gemm_int4(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
               std::int64_t column_begin, std::int64_t column_end) {
  multiply<WideningQuads>(args, row_begin, row_end, column_begin, column_end);
}

#if HWY_TARGET == HWY_AVX3
void gemm_int4_few_rows(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                        std::int64_t column_begin, std::int64_t column_end) {
  multiply<VnniQuads>(args, row_begin, row_end, column_begin, column_end);
}
#endif

#if HWY_TARGET == HWY_NEON
void gemm_int4_dotprod(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end,
                       std::int64_t column_begin, std::int64_t column_end) {
  multiply<DotprodQuads>(args, row_begin, row_end, column_begin, column_end);
}
#endif

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace samebits::kernels {
namespace {

// From so many rows on, unpacking levels once for all of them pays.
constexpr std::int64_t kVnniManyRows = 17, kAmxManyRows = 9;

#if HWY_TARGETS & HWY_AVX3
void vnni(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin,
          std::int64_t column_end) {
  const auto run =
      row_end - row_begin < kVnniManyRows ? N_AVX3::gemm_int4_few_rows : N_AVX3::gemm_int4_many_rows;
  run(args, row_begin, row_end, column_begin, column_end);
}
void amx(const GemmInt4Args& args, std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin,
         std::int64_t column_end) {
  const auto run = row_end - row_begin < kAmxManyRows ? N_AVX3::gemm_int4_few_rows : N_AVX3::gemm_int4_amx;
  run(args, row_begin, row_end, column_begin, column_end);
}
#endif

constexpr decltype(gemm_int4)::Entry list[] = {
#if HWY_TARGETS & HWY_AVX3
    {"amx", amx, isa::why_not_amx},
    {"avx512_vnni", vnni, isa::why_not_avx512_vnni},
#endif
#if HWY_TARGETS & HWY_NEON
    {"neon_dotprod", N_NEON::gemm_int4_dotprod, isa::why_not_neon_dotprod},
#endif
    SAMEBITS_EVERY_TARGET(gemm_int4)};

}  // namespace

SAMEBITS_KERNEL(gemm_int4, "gemm_int4", list);

}  // namespace samebits::kernels
#endif  // HWY_ONCE
