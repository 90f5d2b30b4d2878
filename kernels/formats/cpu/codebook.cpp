// kernels/formats/codebook.h with Highway. This file is compiled once for every instruction set. Value and
// code are chosen by one compare a threshold: a table of 16 floats fits the registers of no instruction set
// but AVX-512.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formats/cpu/codebook.cpp"
#include "kernels/formats/reference/codebook.h"

#include <limits>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/formats/cpu/small_float-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

struct Choice {
  BlockFloats value;
  BlockInts code;
};

// Each search finds the code and its value. NaN compares false with every threshold; the caller replaces its
// choice.

struct LinearSearch {
  const Codebook& codebook;

  HWY_INLINE Choice operator()(BlockFloats v) const {
    const BlockTag f32;
    const BlockIntTag i32;
    Choice choice{hn::Set(f32, codebook.values[0]), hn::Zero(i32)};
    for (std::int32_t i = 0; i + 1 < codebook.size; ++i) {
      const auto reached = hn::Ge(v, hn::Set(f32, codebook.threshold[i]));
      choice.value = hn::IfThenElse(reached, hn::Set(f32, codebook.values[i + 1]), choice.value);
      choice.code = hn::IfThenElse(hn::RebindMask(i32, reached), hn::Set(i32, i + 1), choice.code);
    }
    return choice;
  }
};

/// Level l of the tree compares with one of 2^l thresholds, chosen by the l bits of the code that are known:
/// threshold 7, then 3 or 11, then every fourth from 1 on, then every second from 0 on. A table of 8
/// lanes holds a level; 16 lanes hold it twice.
struct TreeSearch {
  BlockFloats root, level1, level2, level3;
  BlockFloats low_values, high_values;

  explicit TreeSearch(const Codebook& codebook) {
    const BlockTag f32;
    float threshold[16], values[16];
    for (std::int32_t i = 0; i < 16; ++i) {
      threshold[i] = i + 1 < codebook.size ? codebook.threshold[i] : unreachable();  // never reached
      values[i] = i < codebook.size ? codebook.values[i] : 0.0f;
    }
    float table1[16], table2[16], table3[16], low[16], high[16];
    for (int i = 0; i < 16; ++i) {
      table1[i] = threshold[i % 2 * 8 + 3];
      table2[i] = threshold[i % 4 * 4 + 1];
      table3[i] = threshold[i % 8 * 2];
      low[i] = values[i % 8];
      high[i] = values[8 + i % 8];
    }
    root = hn::Set(f32, threshold[7]);
    level1 = hn::LoadU(f32, table1);
    level2 = hn::LoadU(f32, table2);
    level3 = hn::LoadU(f32, table3);
    low_values = hn::LoadU(f32, low);
    high_values = hn::LoadU(f32, high);
  }

  HWY_INLINE Choice operator()(BlockFloats v) const {
    const BlockIntTag i32;
    const auto in_high_half = hn::Ge(v, root);
    auto code = descend(hn::Zero(i32), in_high_half);
    code = descend(code, hn::Ge(v, entry(level1, code)));
    code = descend(code, hn::Ge(v, entry(level2, code)));
    code = descend(code, hn::Ge(v, entry(level3, code)));
    const auto within_half = hn::And(code, hn::Set(i32, 7));
    return {hn::IfThenElse(in_high_half, entry(high_values, within_half), entry(low_values, within_half)),
            code};
  }

 private:
  static float unreachable() { return std::numeric_limits<float>::quiet_NaN(); }

  static HWY_INLINE BlockFloats entry(BlockFloats table, BlockInts index) {
    return hn::TableLookupLanes(table, hn::IndicesFromVec(BlockTag(), index));
  }
  /// The code with one bit more. A true lane of a mask is -1.
  static HWY_INLINE BlockInts descend(BlockInts code, BlockMask bit) {
    const BlockIntTag i32;
    return hn::Sub(hn::Add(code, code), hn::VecFromMask(i32, hn::RebindMask(i32, bit)));
  }
};

template <class Stored, class Search>
struct CodebookBlock {
  static constexpr bool kMayCorrect = false;  // a corrected quotient may lie on the other side of a threshold
  CodebookArgs args;
  const Codebook& codebook;
  Search nearest;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask& ordered) const {
    const BlockTag f32;
    const BlockIntTag i32;
    const auto first = hn::Set(f32, codebook.first()), last = hn::Set(f32, codebook.last());
    const auto nan_value = hn::Set(f32, codebook.values[codebook.zero_code]);
    const auto nan_code = hn::Set(i32, codebook.zero_code);
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const auto v = grid.quotient(load_floats(static_cast<const Stored*>(args.x) + i + lane));
      const auto is_ordered = hn::Eq(v, v);
      const Choice choice = nearest(v);
      const auto value = hn::IfThenElse(is_ordered, choice.value, nan_value);
      const auto code = hn::IfThenElse(hn::RebindMask(i32, is_ordered), choice.code, nan_code);
      if (args.y != nullptr)
        store_floats(hn::Mul(value, grid.scale), static_cast<Stored*>(args.y) + i + lane);
      if (args.codes != nullptr) store_bytes(code, args.codes + i + lane);
      inside |= mask_bits(f32, hn::And(hn::Ge(v, first), hn::Le(v, last))) << lane;
      ordered = hn::And(ordered, is_ordered);
    }
    if (args.clip_mask != nullptr) store_clip_bits(inside, args.clip_mask, i);
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    return reference::fake_quantize_codebook_run(args, codebook, grid.scale, begin, end);
  }
};

template <class Search>
bool fake_quantize_by(const Search& nearest, const CodebookArgs& args, const Codebook& codebook,
                      const GridTable& table, std::int64_t begin, std::int64_t end) {
  if (args.type == FloatType::kBfloat16)
    return walk_table(CodebookBlock<Bfloat16, Search>{args, codebook, nearest}, table, begin, end);
  if (args.type == FloatType::kFloat16)
    return walk_table(CodebookBlock<Float16, Search>{args, codebook, nearest}, table, begin, end);
  return walk_table(CodebookBlock<float, Search>{args, codebook, nearest}, table, begin, end);
}

bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end) {
  const GridTable scales = scales_of(table);
  constexpr std::int32_t kLinearSize = 8;  // four compares with their look-ups cost as much as seven alone
  if (kBlockLanes >= 8 && codebook.size > kLinearSize)
    return fake_quantize_by(TreeSearch(codebook), args, codebook, scales, begin, end);
  return fake_quantize_by(LinearSearch{codebook}, args, codebook, scales, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(fake_quantize_codebook, "fake_quantize_codebook");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
