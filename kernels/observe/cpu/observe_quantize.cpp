// kernels/observe/observe_quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/observe/cpu/observe_quantize.cpp"
#include "kernels/observe/reference/observe_quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/observe/cpu/range-inl.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Codes as quantize() makes them.
template <bool kFoldRelu>
struct StoreCodes {
  std::int8_t* codes;

  HWY_INLINE static LaneGrid limits(const LaneGrid& grid) {
    return kFoldRelu ? without_negatives(grid) : grid;
  }
  HWY_INLINE BlockMask passes(BlockFloats x, BlockMask inside) const {
    return kFoldRelu ? hn::And(inside, hn::Gt(x, hn::Zero(BlockTag()))) : inside;
  }
  HWY_INLINE void store(const Rounded& rounded, const LaneGrid& grid, std::int64_t i) const {
    store_codes(codes_of(rounded, grid), codes + i);
  }
};

/// Reals as fake_quantize() makes them.
template <class Stored>
struct StoreReals {
  Stored* y;

  HWY_INLINE static LaneGrid limits(const LaneGrid& grid) { return grid; }
  HWY_INLINE BlockMask passes(BlockFloats, BlockMask inside) const { return inside; }
  HWY_INLINE void store(const Rounded& rounded, const LaneGrid& grid, std::int64_t i) const {
    const auto steps = hn::Sub(rounded.units, hn::Set(BlockTag(), kUnits));
    store_floats(hn::Mul(hn::IfThenElseZero(rounded.ordered, steps), grid.scale), y + i);
  }
};

/// Blocks from i on. Returns where it stopped, less than a block before `end`.
template <class Stored, class Grid, class Store>
HWY_INLINE std::int64_t observe_blocks(const Stored* x, std::uint8_t* clip_mask, const Grid& grid, Store to,
                                       std::int64_t i, std::int64_t end, VectorRange& all) {
  const LaneGrid limits = Store::limits(grid);
  VectorRange range = all;  // a copy that no store can change
  for (; i + kBlock <= end; i += kBlock) {
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto value = load_floats(x + i + lane);
      const Rounded rounded = round_to_grid(grid.quotient(value), limits);
      range.add(value, hn::Not(rounded.ordered));
      to.store(rounded, grid, i + lane);
      inside |= mask_bits(BlockTag(), to.passes(value, rounded.inside)) << lane;
    }
    if (clip_mask != nullptr) store_clip_bits(inside, clip_mask, i);
  }
  all = range;
  return i;
}

/// The blocks by vectors, the rest by `reference(begin, end)`.
template <class Stored, class Store, class Reference>
HWY_INLINE MinMax observe_run(const void* x, std::uint8_t* clip_mask, const AffineGrid& grid, Store to,
                              std::int64_t begin, std::int64_t end, Reference reference) {
  const auto* from = static_cast<const Stored*>(x);
  const std::int64_t first = whole_bytes_begin(begin, end);
  const MinMax head = reference(begin, first);
  VectorRange range;
  const std::int64_t last = has_exact_correction(grid.scale)
                                ? observe_blocks(from, clip_mask, corrected_grid(grid), to, first, end, range)
                                : observe_blocks(from, clip_mask, divided_grid(grid), to, first, end, range);
  return merge(merge(head, range.range()), reference(last, end));
}

template <class Stored>
HWY_INLINE MinMax observe_quantize_from(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                        std::int64_t end) {
  const auto reference = [&](std::int64_t first, std::int64_t last) {
    return reference::observe_quantize_run(args, grid, first, last);
  };
  if (!args.fold_relu)
    return observe_run<Stored>(args.x, args.clip_mask, grid, StoreCodes<false>{args.codes}, begin, end,
                               reference);
  const StoreCodes<true> store{args.codes};
  return relu_of(observe_run<Stored>(args.x, args.clip_mask, grid, store, begin, end, reference));
}

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end) {
  if (args.type == FloatType::kBfloat16) return observe_quantize_from<Bfloat16>(args, grid, begin, end);
  if (args.type == FloatType::kFloat16) return observe_quantize_from<Float16>(args, grid, begin, end);
  return observe_quantize_from<float>(args, grid, begin, end);
}

template <class Stored>
HWY_INLINE MinMax observe_fake_quantize_as(const FakeQuantizeArgs& args, const AffineGrid& grid,
                                           std::int64_t begin, std::int64_t end) {
  const StoreReals<Stored> store{static_cast<Stored*>(args.y)};
  return observe_run<Stored>(args.x, args.clip_mask, grid, store, begin, end,
                             [&](std::int64_t first, std::int64_t last) {
                               return reference::observe_fake_quantize_run(args, grid, first, last);
                             });
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end) {
  if (args.type == FloatType::kBfloat16) return observe_fake_quantize_as<Bfloat16>(args, grid, begin, end);
  if (args.type == FloatType::kFloat16) return observe_fake_quantize_as<Float16>(args, grid, begin, end);
  return observe_fake_quantize_as<float>(args, grid, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(observe_quantize_run, "observe_quantize");

SAMEBITS_HIGHWAY_KERNEL(observe_fake_quantize_run, "observe_fake_quantize");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
