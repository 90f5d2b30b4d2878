// kernels/quantize/stochastic.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/stochastic.cpp"
#include "kernels/quantize/reference/stochastic.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// The words of elements [first, first + 16), `first` a multiple of 4: four counters of philox.h side by
/// side, each word in the lower half of a 64-bit lane. What the upper halves hold does not matter: a product
/// reads the lower ones only.
HWY_INLINE void write_random_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                                   std::uint32_t* words) {
  const hn::CappedTag<std::uint64_t, 4> u64;
  const hn::Repartition<std::uint32_t, decltype(u64)> u32;
  const auto times = [&](auto counter, std::uint32_t multiplier) HWY_ATTR {
    return hn::MulEven(hn::BitCast(u32, counter), hn::Set(u32, multiplier));
  };
  for (std::uint64_t lane = 0; lane < 4; lane += hn::Lanes(u64)) {
    auto c0 = hn::Add(hn::Iota(u64, 0), hn::Set(u64, first / 4 + lane)), c1 = hn::ShiftRight<32>(c0);
    auto c2 = hn::Set(u64, stream), c3 = hn::ShiftRight<32>(c2);
    std::uint32_t low_key = static_cast<std::uint32_t>(seed),
                  high_key = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      const auto product0 = times(c0, kPhiloxMultiplier0), product1 = times(c2, kPhiloxMultiplier1);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), hn::Set(u64, low_key));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), hn::Set(u64, high_key));
      c1 = product1;
      c3 = product0;
      low_key += kPhiloxKeyStep0;
      high_key += kPhiloxKeyStep1;
    }
    const auto lower = hn::Set(u64, 0xFFFFFFFFu);
    const auto words01 = hn::Or(hn::And(c0, lower), hn::ShiftLeft<32>(c1));
    const auto words23 = hn::Or(hn::And(c2, lower), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(words01, words23, u64, reinterpret_cast<std::uint64_t*>(words + 4 * lane));
  }
}

/// One vector of words. 16 lanes in two loads, each of what one store wrote: a wider load would wait for
/// both.
template <class Tag>
HWY_INLINE hn::Vec<Tag> load_words(Tag tag, const std::uint32_t* from) {
  if constexpr (kBlockLanes == 16) {
    const hn::Half<Tag> half;
    return hn::Combine(tag, hn::LoadU(half, from + 8), hn::LoadU(half, from));
  } else {
    return hn::LoadU(tag, from);
  }
}

template <class Stored>
struct StochasticBlock {
  static constexpr bool kMayCorrect = false;  // the fraction of the quotient counts, in all its bits
  StochasticArgs args;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask& ordered) const {
    const BlockTag f32;
    const hn::Rebind<std::int32_t, BlockTag> i32;
    const hn::Rebind<std::uint32_t, BlockTag> u32;
    const auto one = hn::Set(f32, 1.0f);
    alignas(64) std::uint64_t words[kBlock / 2];
    write_random_words(args.seed, args.stream, static_cast<std::uint64_t>(i),
                       reinterpret_cast<std::uint32_t*>(words));
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const auto word = load_words(u32, reinterpret_cast<const std::uint32_t*>(words) + lane);
      const auto multiple = hn::ConvertTo(f32, hn::BitCast(i32, hn::ShiftRight<8>(word)));
      const auto u = hn::Mul(multiple, hn::Set(f32, 0x1p-24f));
      const auto quotient = grid.quotient(load_floats(static_cast<const Stored*>(args.x) + i + lane));
      const auto below = hn::Floor(quotient);
      const auto goes_up = hn::Ge(u, hn::Sub(one, hn::Sub(quotient, below)));
      const Rounded rounded = round_to_grid(hn::Add(below, hn::IfThenElseZero(goes_up, one)), grid);
      store_codes(codes_of(rounded, grid), args.codes + i + lane);
      inside |= mask_bits(f32, rounded.inside) << lane;
      ordered = hn::And(ordered, rounded.ordered);
    }
    if (args.clip_mask != nullptr) store_clip_bits(inside, args.clip_mask, i);
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    return reference::quantize_stochastic_run(args, grid, begin, end);
  }
};

bool quantize_stochastic(const StochasticArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end) {
  if (args.type == FloatType::kBfloat16)
    return walk_table(StochasticBlock<Bfloat16>{args}, table, begin, end);
  if (args.type == FloatType::kFloat16) return walk_table(StochasticBlock<Float16>{args}, table, begin, end);
  return walk_table(StochasticBlock<float>{args}, table, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(quantize_stochastic, "quantize_stochastic");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
