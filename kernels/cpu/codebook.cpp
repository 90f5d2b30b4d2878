// kernels/codebook.h with Highway. This file is compiled once for every instruction set. Value and code are
// chosen by one compare a threshold: a table of 16 floats fits the registers of no instruction set but
// AVX-512.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/codebook.cpp"
#include "kernels/reference/codebook.h"

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

/// NaN compares false with every threshold; the caller replaces its choice.
HWY_INLINE Choice nearest(Floats v, const Codebook& codebook) {
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

HWY_INLINE void store_unsigned_codes(hn::Vec<CodeTag> codes, std::uint8_t* to) {
  const hn::Rebind<std::uint8_t, CodeTag> u8;
  hn::StoreU(hn::DemoteTo(u8, codes), u8, to);
}

bool codebook_run(const CodebookArgs& args, const Codebook& codebook, float scalar_scale, std::int64_t begin,
                  std::int64_t end) {
  const FloatTag f32;
  const CodeTag i32;
  const auto scale = hn::Set(f32, scalar_scale);
  const auto first = hn::Set(f32, codebook.first()), last = hn::Set(f32, codebook.last());
  const auto nan_value = hn::Set(f32, codebook.values[codebook.zero_code]);
  const auto nan_code = hn::Set(i32, codebook.zero_code);
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = aligned_begin(begin, end);
  const bool head_saw_nan = reference::codebook_run(args, codebook, scalar_scale, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const auto v = hn::Div(hn::LoadU(f32, args.x + i + lane), scale);
      const auto is_nan = hn::IsNaN(v);
      const Choice choice = nearest(v, codebook);
      const auto value = hn::IfThenElse(is_nan, nan_value, choice.value);
      const auto code = hn::IfThenElse(hn::RebindMask(i32, is_nan), nan_code, choice.code);
      if (args.y != nullptr) hn::StoreU(hn::Mul(value, scale), f32, args.y + i + lane);
      if (args.codes != nullptr) store_unsigned_codes(code, args.codes + i + lane);
      mask_byte |= mask_bits(hn::Not(hn::And(hn::Ge(v, first), hn::Le(v, last)))) << lane;
      nans = hn::Or(nans, is_nan);
    }
    if (args.clip_mask != nullptr) args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  const bool tail_saw_nan = reference::codebook_run(args, codebook, scalar_scale, i, end);
  return head_saw_nan || tail_saw_nan || !hn::AllFalse(f32, nans);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(codebook_run)> list[] = SAMEBITS_IMPLEMENTATIONS(codebook_run);
}  // namespace

std::span<const Implementation<decltype(codebook_run)>> codebook_implementations() {
  return list;
}

bool codebook_run(const CodebookArgs& args, const Codebook& codebook, float scale, std::int64_t begin,
                  std::int64_t end) {
  static const auto& chosen = first_usable(codebook_implementations());
  return chosen.run(args, codebook, scale, begin, end);
}

bool fake_quantize_codebook(const CodebookArgs& args, const Codebook& codebook, const GridTable& table,
                            std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= codebook_run(args, codebook, table.scale[index], first, last);
  });
  return saw_nan;
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
