// kernels/fake_quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/fake_quantize.cpp"
#include "kernels/reference/fake_quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& scalar_grid, std::int64_t begin,
                       std::int64_t end) {
  const FloatTag f32;
  const VectorGrid grid = vector_grid(scalar_grid);
  auto nans = hn::FirstN(f32, 0);  // no lane yet
  std::int64_t i = aligned_begin(begin, end);
  const bool head_saw_nan = reference::fake_quantize_run(args, scalar_grid, begin, i);
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const auto position = grid_position(hn::LoadU(f32, args.x + i + lane), grid);
      const auto is_nan = hn::IsNaN(position);
      const auto code = code_at(position, is_nan, grid);
      hn::StoreU(hn::Mul(hn::Sub(code, grid.zero_point), grid.scale), f32, args.y + i + lane);
      mask_byte |= mask_bits(is_clipped(position, grid)) << lane;
      nans = hn::Or(nans, is_nan);
    }
    args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  const bool tail_saw_nan = reference::fake_quantize_run(args, scalar_grid, i, end);  // fewer than 8 elements
  return head_saw_nan || tail_saw_nan || !hn::AllFalse(f32, nans);
}

void fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                            std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  std::int64_t i = aligned_begin(begin, end);
  reference::fake_quantize_backward(grad_y, clip_mask, grad_x, begin, i);
  for (; i + 8 <= end; i += 8) {
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const std::uint8_t bits[8] = {static_cast<std::uint8_t>(clip_mask[i / 8] >> lane)};  // reads 8 bytes
      const auto clipped = hn::LoadMaskBits(f32, bits);
      hn::StoreU(hn::IfThenZeroElse(clipped, hn::LoadU(f32, grad_y + i + lane)), f32, grad_x + i + lane);
    }
  }
  reference::fake_quantize_backward(grad_y, clip_mask, grad_x, i, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(fake_quantize_run)> forward_list[] =
    SAMEBITS_IMPLEMENTATIONS(fake_quantize_run);
constexpr Implementation<decltype(fake_quantize_backward)> backward_list[] =
    SAMEBITS_IMPLEMENTATIONS(fake_quantize_backward);
}  // namespace

std::span<const Implementation<decltype(fake_quantize_run)>> fake_quantize_implementations() {
  return forward_list;
}
std::span<const Implementation<decltype(fake_quantize_backward)>> fake_quantize_backward_implementations() {
  return backward_list;
}

bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end) {
  static const auto& chosen = first_usable(fake_quantize_implementations());
  return chosen.run(args, grid, begin, end);
}

bool fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin,
                   std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= fake_quantize_run(args, table.grid(index), first, last);
  });
  return saw_nan;
}

void fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                            std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(fake_quantize_backward_implementations());
  chosen.run(grad_y, clip_mask, grad_x, begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
