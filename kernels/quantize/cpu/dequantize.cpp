// kernels/quantize/dequantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu/dequantize.cpp"
#include "kernels/quantize/reference/dequantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <class Stored>
struct DequantizeBlock {
  static constexpr bool kMayCorrect = false;  // there is no quotient
  const std::int8_t* codes;
  Stored* y;
  FloatType type;

  template <class Grids>
  HWY_INLINE void vectors(std::int64_t i, const Grids& grids, std::int64_t offset, BlockMask&) const {
    const hn::Rebind<std::int32_t, BlockTag> i32;
    const hn::Rebind<std::int8_t, BlockTag> i8;
    for (std::int64_t lane = 0; lane < kBlock; lane += kBlockLanes) {
      const auto& grid = grids.at(offset + lane);
      const auto code = hn::PromoteTo(i32, hn::LoadU(i8, codes + i + lane));
      const auto steps = hn::ConvertTo(BlockTag(), hn::Sub(code, grid.zero_point));
      store_floats(hn::Mul(steps, grid.scale), y + i + lane);
    }
  }
  bool reference(const AffineGrid& grid, std::int64_t begin, std::int64_t end) const {
    reference::dequantize_run(codes, y, grid, begin, end, type);
    return false;
  }
};

void dequantize_codes(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t begin,
                      std::int64_t end, FloatType type) {
  if (type == FloatType::kBfloat16)
    walk_table(DequantizeBlock<Bfloat16>{codes, static_cast<Bfloat16*>(y), type}, table, begin, end);
  else if (type == FloatType::kFloat16)
    walk_table(DequantizeBlock<Float16>{codes, static_cast<Float16*>(y), type}, table, begin, end);
  else
    walk_table(DequantizeBlock<float>{codes, static_cast<float*>(y), type}, table, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(dequantize_codes, "dequantize");

void dequantize_run(const std::int8_t* codes, void* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end, FloatType type) {
  dequantize_codes(codes, y, table_of(grid), begin, end, type);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
