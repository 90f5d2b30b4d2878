// kernels/conv/depthwise.h with Highway: codes as 16-bit lanes, of which each instruction multiplies pairs
// (vpmaddwd). With step 2 the pairs of neighbouring outputs follow one another; with step 1 a load at an even
// place has those of the even outputs, and one at an odd place those of the odd outputs. This file is
// compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/depthwise.cpp"
#include "kernels/conv/reference/depthwise.h"

#include <cstring>
#include <iterator>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target, and its one lane holds no pair
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The sums of one pair of lanes for each pair of taps, and how they are read and written. IntTag has up to
/// 16 lanes.
template <class IntTag>
struct Lanes {
  using ShortTag = hn::Repartition<std::int16_t, IntTag>;
  using Ints = hn::Vec<IntTag>;

  static HWY_INLINE hn::Vec<ShortTag> weights(const TapPair& pair) {
    std::int32_t both;
    std::memcpy(&both, pair.weights, sizeof both);
    return hn::BitCast(ShortTag(), hn::Set(IntTag(), both));
  }

  struct Sum {
    Ints even, odd;  // of products; NEON keeps the halves of a vector apart
    HWY_INLINE void add(const std::int16_t* x, hn::Vec<ShortTag> weights) {
      even = hn::ReorderWidenMulAccumulate(IntTag(), hn::LoadU(ShortTag(), x), weights, even, odd);
    }
    HWY_INLINE Ints value() const { return hn::RearrangeToOddPlusEven(even, odd); }
  };
  static HWY_INLINE Sum no_sum() { return {hn::Zero(IntTag()), hn::Zero(IntTag())}; }
};

/// One row. kPairs: the number of pairs where it is known, so that their weights stay in registers; else 0.
template <std::int64_t kPairs, class IntTag>
HWY_INLINE void sum_row_step1(IntTag i32, const DepthwiseArgs& args, const std::int16_t* x,
                              std::int32_t* sums) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(i32));
  const std::int64_t count = kPairs > 0 ? kPairs : std::ssize(args.pairs);
  for (std::int64_t column = 0; column < args.columns; column += 2 * lanes) {
    auto at_even = Lanes<IntTag>::no_sum(), at_odd = Lanes<IntTag>::no_sum();
    for (std::int64_t i = 0; i < count; ++i) {
      const TapPair& pair = args.pairs[i];
      const auto weights = Lanes<IntTag>::weights(pair);
      at_even.add(x + column + pair.offset, weights);
      at_odd.add(x + column + pair.offset + 1, weights);
    }
    hn::StoreInterleaved2(at_even.value(), at_odd.value(), i32, sums + column);
  }
}

template <std::int64_t kPairs, class IntTag>
HWY_INLINE void sum_row_step2(IntTag i32, const DepthwiseArgs& args, const std::int16_t* x,
                              std::int32_t* sums) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(i32));
  const std::int64_t count = kPairs > 0 ? kPairs : std::ssize(args.pairs);
  for (std::int64_t column = 0; column < args.columns; column += lanes) {
    auto sum = Lanes<IntTag>::no_sum();
    for (std::int64_t i = 0; i < count; ++i)
      sum.add(x + 2 * column + args.pairs[i].offset, Lanes<IntTag>::weights(args.pairs[i]));
    hn::StoreU(sum.value(), i32, sums + column);
  }
}

template <std::int64_t kPairs, class IntTag>
HWY_INLINE void sum_rows(IntTag i32, const DepthwiseArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int16_t* x = args.x + row * args.row_codes;
    std::int32_t* sums = args.sums + row * args.columns;
    if (args.step == 1) {
      sum_row_step1<kPairs>(i32, args, x, sums);
    } else {
      sum_row_step2<kPairs>(i32, args, x, sums);
    }
  }
}

template <class IntTag>
HWY_INLINE void sum_rows(IntTag i32, const DepthwiseArgs& args, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kPairsOf3x3 = 6;
  if (std::ssize(args.pairs) == kPairsOf3x3) {
    sum_rows<kPairsOf3x3>(i32, args, begin, end);
  } else {
    sum_rows<0>(i32, args, begin, end);
  }
}

void depthwise_sums(const DepthwiseArgs& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t narrow = args.step == 1 ? 16 : 8;  // columns of 8 lanes: short rows waste less of them
  if (args.columns <= narrow) {
    sum_rows(hn::CappedTag<std::int32_t, 8>(), args, begin, end);
  } else {
    sum_rows(hn::CappedTag<std::int32_t, 16>(), args, begin, end);
  }
}

/// The last vector of a row ends with its last code, and overlaps the one before it. n is at least a vector's
/// length.
template <class ShortTag>
HWY_INLINE void widen_by_vectors(ShortTag i16, const WidenRowsArgs& args) {
  const hn::Rebind<std::int8_t, ShortTag> i8;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(i16));
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const std::int8_t* codes = args.codes + row * args.codes_row;
    std::int16_t* to = args.to + row * args.to_row;
    for (std::int64_t i = 0; i < args.n; i += lanes) {
      const std::int64_t first = i + lanes <= args.n ? i : args.n - lanes;
      hn::StoreU(hn::PromoteTo(i16, hn::LoadU(i8, codes + first)), i16, to + first);
    }
  }
}

void widen_rows(const WidenRowsArgs& args) {
  if (args.n >= 16) {
    widen_by_vectors(hn::CappedTag<std::int16_t, 16>(), args);
  } else if (args.n >= 8) {
    widen_by_vectors(hn::CappedTag<std::int16_t, 8>(), args);
  } else {
    reference::widen_rows(args);
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(depthwise_sums, "depthwise");

SAMEBITS_HIGHWAY_KERNEL(widen_rows, "widen_rows");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
