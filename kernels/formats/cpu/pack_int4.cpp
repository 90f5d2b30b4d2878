// kernels/formats/pack_int4.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formats/cpu/pack_int4.cpp"
#include "kernels/formats/reference/pack_int4.h"
#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed) {
  std::int64_t i = 0;
  const hn::ScalableTag<std::uint16_t> u16;  // a pair of codes a lane
  const hn::Rebind<std::uint8_t, decltype(u16)> u8;
  const auto low_nibble = hn::Set(u16, std::uint16_t{0x0F}), high_nibble = hn::Set(u16, std::uint16_t{0xF0});
  const std::int64_t step = static_cast<std::int64_t>(2 * hn::Lanes(u16));
  for (; i + step <= n; i += step) {
    const auto pair = hn::LoadU(u16, reinterpret_cast<const std::uint16_t*>(codes + i));
    const auto byte = hn::Or(hn::And(pair, low_nibble), hn::And(hn::ShiftRight<4>(pair), high_nibble));
    hn::StoreU(hn::DemoteTo(u8, hn::BitCast(hn::RebindToSigned<decltype(u16)>(), byte)), u8, packed + i / 2);
  }
  reference::pack_int4(codes + i, n - i, packed + i / 2);
}

void unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes) {
  std::int64_t i = 0;
  const hn::ScalableTag<std::uint16_t> u16;
  const hn::Rebind<std::uint8_t, decltype(u16)> u8;
  const hn::Repartition<std::int8_t, decltype(u16)> i8;
  const auto sign = hn::Set(i8, std::int8_t{8});
  const std::int64_t step = static_cast<std::int64_t>(2 * hn::Lanes(u16));
  for (; i + step <= n; i += step) {
    const auto byte = hn::PromoteTo(u16, hn::LoadU(u8, packed + i / 2));
    const auto pair = hn::And(hn::Or(byte, hn::ShiftLeft<4>(byte)), hn::Set(u16, std::uint16_t{0x0F0F}));
    hn::StoreU(hn::Sub(hn::Xor(hn::BitCast(i8, pair), sign), sign), i8, codes + i);
  }
  reference::unpack_int4(packed + i / 2, n - i, codes + i);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(pack_int4, "pack_int4");
SAMEBITS_HIGHWAY_KERNEL(unpack_int4, "unpack_int4");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
