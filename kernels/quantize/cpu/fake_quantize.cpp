// kernels/quantize/fake_quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/fake_quantize.cpp"
#include "kernels/quantize/reference/fake_quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <class Stored>
struct FakeQuantizeBlock {
  static constexpr bool kMayCorrect = true;
  FakeQuantizeArgs args;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask& ordered) const {
    const auto* x = static_cast<const Stored*>(args.x) + i;
    auto* y = static_cast<Stored*>(args.y) + i;
    unsigned inside = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const Rounded rounded = round_to_grid(grid.quotient(load_floats(x + lane)), grid);
      const auto steps =
          hn::IfThenElseZero(rounded.ordered, hn::Sub(rounded.units, hn::Set(BlockTag(), kUnits)));
      store_floats(hn::Mul(steps, grid.scale), y + lane);
      inside |= mask_bits(BlockTag(), rounded.inside) << lane;
      ordered = hn::And(ordered, rounded.ordered);
    }
    store_clip_bits(inside, args.clip_mask, i);
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    return reference::fake_quantize_run(args, grid, begin, end);
  }
};

bool fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin,
                   std::int64_t end) {
  if (args.type == FloatType::kBfloat16)
    return walk_table(FakeQuantizeBlock<Bfloat16>{args}, table, begin, end);
  if (args.type == FloatType::kFloat16)
    return walk_table(FakeQuantizeBlock<Float16>{args}, table, begin, end);
  return walk_table(FakeQuantizeBlock<float>{args}, table, begin, end);
}

/// Lanes of the gradient's width in bits, at most eight: one byte of the mask.
template <class Bits>
void backward_of(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x, std::int64_t begin,
                 std::int64_t end) {
  const hn::CappedTag<Bits, 8> tag;
  for (std::int64_t i = begin; i + 8 <= end; i += 8) {
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(tag))) {
      const std::uint8_t bits[8] = {static_cast<std::uint8_t>(clip_mask[i / 8] >> lane)};  // reads 8 bytes
      const auto grad = hn::LoadU(tag, static_cast<const Bits*>(grad_y) + i + lane);
      hn::StoreU(hn::IfThenZeroElse(hn::LoadMaskBits(tag, bits), grad), tag,
                 static_cast<Bits*>(grad_x) + i + lane);
    }
  }
}

void fake_quantize_backward(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x,
                            std::int64_t begin, std::int64_t end, FloatType type) {
  const std::int64_t first = whole_bytes_begin(begin, end), last = first + (end - first) / 8 * 8;
  reference::fake_quantize_backward(grad_y, clip_mask, grad_x, begin, first, type);
  if (type == FloatType::kFloat32)
    backward_of<std::uint32_t>(grad_y, clip_mask, grad_x, first, last);
  else
    backward_of<std::uint16_t>(grad_y, clip_mask, grad_x, first, last);
  reference::fake_quantize_backward(grad_y, clip_mask, grad_x, last, end, type);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(fake_quantize, "fake_quantize");

bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end) {
  return fake_quantize(args, table_of(grid), begin, end);
}

SAMEBITS_HIGHWAY_KERNEL(fake_quantize_backward, "fake_quantize_backward");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
