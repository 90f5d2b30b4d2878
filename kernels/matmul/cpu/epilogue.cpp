// kernels/matmul/epilogue.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/epilogue.cpp"
#include "kernels/matmul/reference/epilogue.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n) {
  const hn::ScalableTag<float> f32;
  const hn::RebindToSigned<decltype(f32)> i32;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  const auto correction = hn::Set(i32, terms.correction[0]);
  const auto scale = hn::Set(f32, terms.scale[0]);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto exact = hn::Sub(hn::LoadU(i32, accumulators + i), correction);
    auto value = hn::Mul(hn::ConvertTo(f32, exact), scale);  // each step rounded, none fused
    if (terms.bias != nullptr) value = hn::Add(value, hn::Set(f32, terms.bias[0]));
    hn::StoreU(value, f32, y + i);
  }
  reference::epilogue_channel(accumulators + i, terms, y + i, n - i);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {

SAMEBITS_HIGHWAY_KERNEL(epilogue_channel, "epilogue_channel");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
