// kernels/matmul/epilogue.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu/epilogue.cpp"
#include "kernels/matmul/reference/epilogue.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
constexpr FloatTag f32;
constexpr IntTag i32;

/// float(acc - correction) * scale: three roundings at most, none fused.
HWY_INLINE hn::Vec<FloatTag> scaled(const std::int32_t* accumulators, hn::Vec<IntTag> correction,
                                    hn::Vec<FloatTag> scale) {
  const auto exact = hn::Sub(hn::LoadU(i32, accumulators), correction);
  return hn::Mul(hn::ConvertTo(f32, exact), scale);
}

HWY_INLINE std::int64_t lanes() {
  return static_cast<std::int64_t>(hn::Lanes(f32));
}

HWY_INLINE ChannelTerms terms_from(const ChannelTerms& terms, std::int64_t c) {
  return {terms.correction + c, terms.scale + c, terms.bias == nullptr ? nullptr : terms.bias + c};
}

void epilogue_row(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n) {
  std::int64_t c = 0;
  for (; c + lanes() <= n; c += lanes()) {
    auto value =
        scaled(accumulators + c, hn::LoadU(i32, terms.correction + c), hn::LoadU(f32, terms.scale + c));
    if (terms.bias != nullptr) value = hn::Add(value, hn::LoadU(f32, terms.bias + c));
    hn::StoreU(value, f32, y + c);
  }
  reference::epilogue_row(accumulators + c, terms_from(terms, c), y + c, n - c);
}

void epilogue_channel(const std::int32_t* accumulators, const ChannelTerms& terms, float* y, std::int64_t n) {
  const auto correction = hn::Set(i32, terms.correction[0]);
  const auto scale = hn::Set(f32, terms.scale[0]);
  std::int64_t i = 0;
  for (; i + lanes() <= n; i += lanes()) {
    auto value = scaled(accumulators + i, correction, scale);
    if (terms.bias != nullptr) value = hn::Add(value, hn::Set(f32, terms.bias[0]));
    hn::StoreU(value, f32, y + i);
  }
  reference::epilogue_channel(accumulators + i, terms, y + i, n - i);
}

void epilogue_group(const std::int32_t* accumulators, const ChannelTerms& terms, bool is_first, float* total,
                    std::int64_t n) {
  std::int64_t c = 0;
  for (; c + lanes() <= n; c += lanes()) {
    const auto term =
        scaled(accumulators + c, hn::LoadU(i32, terms.correction + c), hn::LoadU(f32, terms.scale + c));
    const auto before = is_first ? hn::Zero(f32) : hn::LoadU(f32, total + c);
    hn::StoreU(hn::Add(before, term), f32, total + c);
  }
  reference::epilogue_group(accumulators + c, terms_from(terms, c), is_first, total + c, n - c);
}

void epilogue_groups_end(const float* total, float x_scale, const float* bias, float* y, std::int64_t n) {
  const auto scale = hn::Set(f32, x_scale);
  std::int64_t c = 0;
  for (; c + lanes() <= n; c += lanes()) {
    auto value = hn::Mul(hn::LoadU(f32, total + c), scale);
    if (bias != nullptr) value = hn::Add(value, hn::LoadU(f32, bias + c));
    hn::StoreU(value, f32, y + c);
  }
  reference::epilogue_groups_end(total + c, x_scale, bias == nullptr ? nullptr : bias + c, y + c, n - c);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(epilogue_row, "epilogue");
SAMEBITS_HIGHWAY_KERNEL(epilogue_channel, "epilogue_channel");
SAMEBITS_HIGHWAY_KERNEL(epilogue_group, "epilogue_group");
SAMEBITS_HIGHWAY_KERNEL(epilogue_groups_end, "epilogue_groups_end");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
