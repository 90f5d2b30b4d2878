// kernels/float/relu.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/relu.cpp"
#include "kernels/float/reference/relu.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/grid_blocks-inl.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Whole blocks of [begin, end) of floats whose bits, as signed integers, are `Int` and whose -infinity is
/// `minus_infinity`. In that order -0 is the smallest integer, the negative reals follow up to -infinity,
/// then come the negative NaNs, 0, and what relu keeps.
template <class Int>
void relu_blocks(const ReluArgs& args, Int minus_infinity, std::int64_t begin, std::int64_t end) {
  const hn::CappedTag<Int, kBlock> tag;
  const auto lowest = hn::Set(tag, std::numeric_limits<Int>::min());
  for (std::int64_t i = begin; i + kBlock <= end; i += kBlock) {
    unsigned passed = 0;
    for (std::int64_t lane = 0; lane < kBlock; lane += static_cast<std::int64_t>(hn::Lanes(tag))) {
      const auto x = hn::LoadU(tag, static_cast<const Int*>(args.x) + i + lane);
      const auto not_negative = hn::Gt(x, hn::Set(tag, minus_infinity));
      const auto kept = hn::Or(not_negative, hn::Eq(x, lowest));
      hn::StoreU(hn::IfThenElseZero(kept, x), tag, static_cast<Int*>(args.y) + i + lane);
      passed |= mask_bits(tag, hn::AndNot(hn::Eq(x, hn::Zero(tag)), not_negative)) << lane;
    }
    if (args.clip_mask != nullptr) store_clip_bits(passed, args.clip_mask, i);
  }
}

void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t last = begin + (end - begin) / kBlock * kBlock;
  if (args.type == FloatType::kFloat32)
    relu_blocks(args, static_cast<std::int32_t>(0xFF800000u), begin, last);
  else
    relu_blocks(args, static_cast<std::int16_t>(args.type == FloatType::kBfloat16 ? 0xFF80u : 0xFC00u), begin,
                last);
  reference::relu(args, last, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(relu, "relu");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
