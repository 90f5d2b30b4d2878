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

template <class Stored>
bool quantize_from(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
  if (args.fold_relu) return walk_table(QuantizeBlock<Stored, true>{args}, table, begin, end);
  return walk_table(QuantizeBlock<Stored, false>{args}, table, begin, end);
}

bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
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
