// kernels/codebook.h with Highway. This file is compiled once for every instruction set. Value and code are
// chosen by one compare a threshold: a table of 16 floats fits the registers of no instruction set but
// AVX-512.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/codebook.cpp"
#include "kernels/reference/codebook.h"

#include <limits>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using CodeTag = hn::Rebind<std::int32_t, FloatTag>;

struct Choice {
  Floats value;
  hn::Vec<CodeTag> code;
};

// Each search finds the code and its value. NaN compares false with every threshold; the caller replaces its
// choice.

struct LinearSearch {
  const Codebook& codebook;

  HWY_INLINE Choice operator()(Floats v) const {
    const FloatTag f32;
    const CodeTag i32;
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
/// threshold 7, then 3 or 11, then every fourth from 1 on, then every second from 0 on. One table of 8 lanes
/// holds a level.
struct TreeSearch {
  Floats root, level1, level2, level3;
  Floats low_values, high_values;

  explicit TreeSearch(const Codebook& codebook) {
    const FloatTag f32;
    float threshold[16], values[16];
    for (std::int32_t i = 0; i < 16; ++i) {
      threshold[i] = i + 1 < codebook.size ? codebook.threshold[i] : unreachable();  // never reached
      values[i] = i < codebook.size ? codebook.values[i] : 0.0f;
    }
    float table1[8], table2[8], table3[8];
    for (int i = 0; i < 8; ++i) {
      table1[i] = threshold[i % 2 * 8 + 3];
      table2[i] = threshold[i % 4 * 4 + 1];
      table3[i] = threshold[i * 2];
    }
    root = hn::Set(f32, threshold[7]);
    level1 = hn::LoadU(f32, table1);
    level2 = hn::LoadU(f32, table2);
    level3 = hn::LoadU(f32, table3);
    low_values = hn::LoadU(f32, values);
    high_values = hn::LoadU(f32, values + 8);
  }

  HWY_INLINE Choice operator()(Floats v) const {
    const CodeTag i32;
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

  static HWY_INLINE Floats entry(Floats table, hn::Vec<CodeTag> index) {
    return hn::TableLookupLanes(table, hn::IndicesFromVec(FloatTag(), index));
  }
  /// The code with one bit more. A true lane of a mask is -1.
  static HWY_INLINE hn::Vec<CodeTag> descend(hn::Vec<CodeTag> code, FloatMask bit) {
    const CodeTag i32;
    return hn::Sub(hn::Add(code, code), hn::VecFromMask(i32, hn::RebindMask(i32, bit)));
  }
};

HWY_INLINE void store_unsigned_codes(hn::Vec<CodeTag> codes, std::uint8_t* to) {
  const hn::Rebind<std::uint8_t, CodeTag> u8;
  hn::StoreU(hn::DemoteTo(u8, codes), u8, to);
}

template <class Search>
HWY_INLINE bool run_by(const Search& nearest, const CodebookArgs& args, const Codebook& codebook,
                       float scalar_scale, std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  const CodeTag i32;
  const auto scale = hn::Set(f32, scalar_scale);
  const auto first = hn::Set(f32, codebook.first()), last = hn::Set(f32, codebook.last());
  const auto nan_value = hn::Set(f32, codebook.values[codebook.zero_code]);
  const auto nan_code = hn::Set(i32, codebook.zero_code);
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = aligned_begin(begin, end);
  const bool head_saw_nan = reference::fake_quantize_codebook_run(args, codebook, scalar_scale, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const auto v = hn::Div(hn::LoadU(f32, args.x + i + lane), scale);
      const auto is_nan = hn::IsNaN(v);
      const Choice choice = nearest(v);
      const auto value = hn::IfThenElse(is_nan, nan_value, choice.value);
      const auto code = hn::IfThenElse(hn::RebindMask(i32, is_nan), nan_code, choice.code);
      if (args.y != nullptr) hn::StoreU(hn::Mul(value, scale), f32, args.y + i + lane);
      if (args.codes != nullptr) store_unsigned_codes(code, args.codes + i + lane);
      mask_byte |= mask_bits(hn::Not(hn::And(hn::Ge(v, first), hn::Le(v, last)))) << lane;
      nans = hn::Or(nans, is_nan);
    }
    if (args.clip_mask != nullptr) args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  const bool tail_saw_nan = reference::fake_quantize_codebook_run(args, codebook, scalar_scale, i, end);
  return head_saw_nan || tail_saw_nan || !hn::AllFalse(f32, nans);
}

template <class Search>
bool runs_by(const Search& nearest, const CodebookArgs& args, const Codebook& codebook,
             const GridTable& table, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) HWY_ATTR {
    saw_nan |= run_by(nearest, args, codebook, table.scale[index], first, last);
  });
  return saw_nan;
}

bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end) {
  constexpr std::int32_t kLinearSize = 8;  // four compares with their look-ups cost as much as seven alone
  if (hn::MaxLanes(FloatTag()) == 8 && codebook.size > kLinearSize)
    return runs_by(TreeSearch(codebook), args, codebook, table, begin, end);
  return runs_by(LinearSearch{codebook}, args, codebook, table, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(fake_quantize_codebook)> list[] =
    SAMEBITS_IMPLEMENTATIONS(fake_quantize_codebook);
}  // namespace

std::span<const Implementation<decltype(fake_quantize_codebook)>> fake_quantize_codebook_implementations() {
  return list;
}

bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(fake_quantize_codebook_implementations());
  return chosen.run(args, codebook, table, begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
