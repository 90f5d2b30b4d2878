// kernels/relu.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/relu.cpp"
#include "kernels/reference/relu.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/cpu/affine-inl.h"
#include "kernels/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end) {
  const FloatTag f32;
  const auto zero = hn::Zero(f32);
  std::int64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    unsigned mask_byte = 0;
    for (std::int64_t lane = 0; lane < 8; lane += static_cast<std::int64_t>(hn::Lanes(f32))) {
      const auto x = hn::LoadU(f32, args.x + i + lane);
      hn::StoreU(hn::IfThenZeroElse(hn::Lt(x, zero), x), f32, args.y + i + lane);
      mask_byte |= mask_bits(hn::Le(x, zero)) << lane;
    }
    args.clip_mask[i / 8] = static_cast<std::uint8_t>(mask_byte);
  }
  reference::relu(args, i, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
namespace {
constexpr Implementation<decltype(relu)> list[] = SAMEBITS_IMPLEMENTATIONS(relu);
}  // namespace

std::span<const Implementation<decltype(relu)>> relu_implementations() { return list; }

void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end) {
  static const auto& chosen = first_usable(relu_implementations());
  chosen.run(args, begin, end);
}

}  // namespace samebits::kernels
#endif  // HWY_ONCE
