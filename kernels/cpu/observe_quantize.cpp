// kernels/observe_quantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/observe_quantize.cpp"
#include "kernels/reference/observe_quantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"
#include "kernels/cpu/range-inl.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Whole mask bytes from i on: calls `store(code, element)` for each vector and `store_mask(byte, element)`.
/// Returns where it stopped, fewer than 8 elements before `end`.
template <class Store, class StoreMask>
HWY_INLINE std::int64_t for_each_code(const float* x, const VectorGrid& grid, std::int64_t i,
                                      std::int64_t end, VectorRange& range, Store store,
                                      StoreMask store_mask) {
  constexpr std::int64_t kLanes = hn::MaxLanes(FloatTag());
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += kLanes) {
      const auto value = hn::LoadU(FloatTag(), x + i + lane);
      const auto position = grid_position(value, grid);
      const auto is_nan = hn::IsNaN(value);  // of the position too: scale is finite and not 0
      range.add(value, is_nan);
      store(code_at(position, is_nan, grid), i + lane);
      mask_byte |= mask_bits(is_clipped(position, grid)) << lane;
    }
    store_mask(static_cast<std::uint8_t>(mask_byte), i);
  }
  return i;
}

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& scalar_grid, std::int64_t begin,
                            std::int64_t end) {
  const VectorGrid grid = vector_grid(scalar_grid);
  const std::int64_t aligned = aligned_begin(begin, end);
  const MinMax head = reference::observe_quantize_run(args, scalar_grid, begin, aligned);
  VectorRange range;
  const auto store = [&](Floats code, std::int64_t i) HWY_ATTR { store_codes(code, args.codes + i); };
  const std::int64_t tail = for_each_code(static_cast<const float*>(args.x), grid, aligned, end, range, store,
                                          [&](std::uint8_t byte, std::int64_t i) HWY_ATTR {
                                            if (args.clip_mask != nullptr) args.clip_mask[i / 8] = byte;
                                          });
  return merge(merge(head, range.range()), reference::observe_quantize_run(args, scalar_grid, tail, end));
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& scalar_grid,
                                 std::int64_t begin, std::int64_t end) {
  const VectorGrid grid = vector_grid(scalar_grid);
  const std::int64_t aligned = aligned_begin(begin, end);
  const MinMax head = reference::observe_fake_quantize_run(args, scalar_grid, begin, aligned);
  VectorRange range;
  const auto store = [&](Floats code, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::Sub(code, grid.zero_point), grid.scale), FloatTag(), static_cast<float*>(args.y) + i);
  };
  const std::int64_t tail =
      for_each_code(static_cast<const float*>(args.x), grid, aligned, end, range, store,
                    [&](std::uint8_t byte, std::int64_t i) HWY_ATTR { args.clip_mask[i / 8] = byte; });
  return merge(merge(head, range.range()),
               reference::observe_fake_quantize_run(args, scalar_grid, tail, end));
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(observe_quantize_run)> codes_list[] =
    SAMEBITS_IMPLEMENTATIONS(observe_quantize_run);
constexpr Implementation<decltype(observe_fake_quantize_run)> reals_list[] =
    SAMEBITS_IMPLEMENTATIONS(observe_fake_quantize_run);
}  // namespace

std::span<const Implementation<decltype(observe_quantize_run)>> observe_quantize_implementations() {
  return codes_list;
}
std::span<const Implementation<decltype(observe_fake_quantize_run)>> observe_fake_quantize_implementations() {
  return reals_list;
}

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end) {
  static const auto& chosen = first_usable(observe_quantize_implementations());
  return chosen.run(args, grid, begin, end);
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end) {
  static const auto& chosen = first_usable(observe_fake_quantize_implementations());
  return chosen.run(args, grid, begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
