// kernels/dequantize.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dequantize.cpp"
#include "kernels/reference/dequantize.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

void dequantize_run(const std::int8_t* codes, float* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end) {
  const hn::CappedTag<float, 16> f32;
  const hn::Rebind<std::int32_t, decltype(f32)> i32;
  const hn::Rebind<std::int8_t, decltype(f32)> i8;
  const auto scale = hn::Set(f32, grid.scale);
  const auto zero_point = hn::Set(i32, grid.zero_point);
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    const auto code = hn::PromoteTo(i32, hn::LoadU(i8, codes + i));
    hn::StoreU(hn::Mul(hn::ConvertTo(f32, hn::Sub(code, zero_point)), scale), f32, y + i);
  }
  reference::dequantize_run(codes, y, grid, i, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(dequantize_run)> list[] = SAMEBITS_IMPLEMENTATIONS(dequantize_run);
}  // namespace

std::span<const Implementation<decltype(dequantize_run)>> dequantize_implementations() { return list; }

void dequantize_run(const std::int8_t* codes, float* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end) {
  static const auto& chosen = first_usable(dequantize_implementations());
  chosen.run(codes, y, grid, begin, end);
}

void dequantize(const std::int8_t* codes, float* y, const GridTable& table, std::int64_t begin,
                std::int64_t end) {
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    dequantize_run(codes, y, table.grid(index), first, last);
  });
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
