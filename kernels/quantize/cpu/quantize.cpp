// kernels/quantize/quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/quantize.cpp"
#include "kernels/quantize/reference/quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <class Stored, bool kFoldRelu>
struct QuantizeBlock {
  static constexpr bool kMayCorrect = true;
  QuantizeArgs args;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask& ordered) const {
    const BlockTag f32;
    const auto* x = static_cast<const Stored*>(args.x) + i;
    unsigned inside_bits = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const BlockFloats value = load_floats(x + lane);
      const Rounded rounded =
          round_to_grid(grid.quotient(value), kFoldRelu ? without_negatives(grid) : LaneGrid(grid));
      store_codes(codes_of(rounded, grid), args.codes + i + lane);
      BlockMask inside = rounded.inside;
      if (kFoldRelu) inside = hn::And(inside, hn::Gt(value, hn::Zero(f32)));
      inside_bits |= mask_bits(f32, inside) << lane;
      ordered = hn::And(ordered, rounded.ordered);
    }
    if (args.clip_mask != nullptr) store_clip_bits(inside_bits, args.clip_mask, i);
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    return reference::quantize_run(args, grid, begin, end);
  }
};

#if HWY_TARGET == HWY_AVX3
constexpr std::int64_t kLine = 64;  // codes of a cache line

/// One grid without a clip mask: four vectors become the bytes of one, saturated on the way, while no value
/// is NaN or 2^20 steps from 0 (numerics.md §3).
struct LineQuantizer {
  const VectorGrid<Correction> grid;
  const __m512 limit;
  const __m512i lowest, highest;  // of bytes

  LineQuantizer(const AffineGrid& scalar_grid, bool fold_relu)
      : grid(corrected_grid(scalar_grid)),
        limit(_mm512_set1_ps(0x1p20f * scalar_grid.scale)),
        lowest(_mm512_set1_epi8(static_cast<char>(fold_relu ? scalar_grid.zero_point : scalar_grid.qmin))),
        highest(_mm512_set1_epi8(static_cast<char>(scalar_grid.qmax))) {}

  HWY_INLINE __m512i unclamped_codes(__m512 x) const {
    const BlockFloats rounded =
        hn::Add(grid.finite_quotient(BlockFloats{x}, grid.scale), hn::Set(BlockTag(), kUnits));
    return _mm512_add_epi32(_mm512_castps_si512(rounded.raw),
                            _mm512_sub_epi32(grid.zero_point.raw, _mm512_set1_epi32(kUnitsBits)));
  }

  /// 64 codes, unless a value is not near.
  HWY_INLINE bool line(const float* x, std::int8_t* codes) const {
    const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16), x2 = _mm512_loadu_ps(x + 32),
                 x3 = _mm512_loadu_ps(x + 48);
    // Of non-negative floats and NaN the bits are in order.
    const __m512i magnitudes = _mm512_max_epu32(
        _mm512_max_epu32(_mm512_castps_si512(_mm512_abs_ps(x0)), _mm512_castps_si512(_mm512_abs_ps(x1))),
        _mm512_max_epu32(_mm512_castps_si512(_mm512_abs_ps(x2)), _mm512_castps_si512(_mm512_abs_ps(x3))));
    if (_mm512_cmp_ps_mask(_mm512_castsi512_ps(magnitudes), limit, _CMP_LT_OQ) != 0xFFFF) return false;
    const __m512i low = _mm512_packs_epi32(unclamped_codes(x0), unclamped_codes(x1));
    const __m512i high = _mm512_packs_epi32(unclamped_codes(x2), unclamped_codes(x3));
    // Every 128 bits hold four codes of each vector.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
    _mm512_storeu_si512(codes, _mm512_min_epi8(_mm512_max_epi8(bytes, lowest), highest));
    return true;
  }
};

/// Elements [begin, end) on one grid without a clip mask.
template <bool kFoldRelu>
bool quantize_lines(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  const LineQuantizer quantizer(grid, kFoldRelu);
  const QuantizeBlock<float, kFoldRelu> block{args};
  const auto* x = static_cast<const float*>(args.x);
  bool saw_nan = false;
  for (; begin + kLine <= end; begin += kLine)
    if (!quantizer.line(x + begin, args.codes + begin)) [[unlikely]]
      saw_nan |= walk_run(block, grid, begin, begin + kLine);
  return saw_nan | walk_run(block, grid, begin, end);
}
#endif

template <class Stored>
bool quantize_from(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
  if (args.fold_relu) return walk_table(QuantizeBlock<Stored, true>{args}, table, begin, end);
  return walk_table(QuantizeBlock<Stored, false>{args}, table, begin, end);
}

bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
#if HWY_TARGET == HWY_AVX3
  if (args.type == FloatType::kFloat32 && args.clip_mask == nullptr && table.grids() == 1 &&
      has_exact_correction(table.grid(0).scale)) {
    return args.fold_relu ? quantize_lines<true>(args, table.grid(0), begin, end)
                          : quantize_lines<false>(args, table.grid(0), begin, end);
  }
#endif
  if (args.type == FloatType::kBfloat16) return quantize_from<Bfloat16>(args, table, begin, end);
  if (args.type == FloatType::kFloat16) return quantize_from<Float16>(args, table, begin, end);
  return quantize_from<float>(args, table, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(quantize, "quantize");

bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  return quantize(args, table_of(grid), begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
