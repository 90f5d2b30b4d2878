// kernels/quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantize.cpp"
#include "kernels/reference/quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

bool quantize_run(const QuantizeArgs& args, const AffineGrid& scalar_grid, std::int64_t begin,
                  std::int64_t end) {
  const FloatTag f32;
  const VectorGrid grid = vector_grid(scalar_grid);
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = aligned_begin(begin, end);
  const bool head_saw_nan = reference::quantize_run(args, scalar_grid, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const auto position = grid_position(hn::LoadU(f32, args.x + i + lane), grid);
      const auto is_nan = hn::IsNaN(position);
      store_codes(code_at(position, is_nan, grid), args.codes + i + lane);
      mask_byte |= mask_bits(is_clipped(position, grid)) << lane;
      nans = hn::Or(nans, is_nan);
    }
    if (args.clip_mask != nullptr) args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  const bool tail_saw_nan = reference::quantize_run(args, scalar_grid, i, end);
  return head_saw_nan || tail_saw_nan || !hn::AllFalse(f32, nans);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(quantize_run)> list[] = SAMEBITS_IMPLEMENTATIONS(quantize_run);
}  // namespace

std::span<const Implementation<decltype(quantize_run)>> quantize_implementations() { return list; }

bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(quantize_implementations());
  return chosen.run(args, grid, begin, end);
}

bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= quantize_run(args, table.grid(index), first, last);
  });
  return saw_nan;
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
