// The last step of kernels/gemm_int4.h for a block of 16 columns: bias, relu, its mask, and the store that stops at
// column n. Included by the .cpp files that foreach_target compiles.
#if defined(SAMEBITS_INT4_FINISH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_INT4_FINISH_INL_H
#undef SAMEBITS_INT4_FINISH_INL_H
#else
#define SAMEBITS_INT4_FINISH_INL_H
#endif

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/cpu/gemm/int4_quads-inl.h"
#include "kernels/gemm_int4.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// The first `count` bits of relu's mask of 16 values, whole bytes.
HWY_INLINE void store_relu_mask(const float* values, std::int64_t count, std::uint8_t* mask) {
  std::uint8_t bytes[2] = {0, 0};
  for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes()) {
    std::uint8_t bits[8];  // StoreMaskBits may write 8 bytes
    hn::StoreMaskBits(f32, hn::Le(hn::LoadU(f32, values + lane), hn::Zero(f32)), bits);
    const unsigned low = lanes() == 4 ? static_cast<unsigned>(bits[0] & 0xF) << lane % 8 : bits[0];
    bytes[lane / 8] = static_cast<std::uint8_t>(bytes[lane / 8] | low);
    if (lanes() == 16) bytes[1] = bits[1];
  }
  if (count < 16) bytes[count / 8] = static_cast<std::uint8_t>(bytes[count / 8] & ((1u << count % 8) - 1));
  std::memcpy(mask, bytes, static_cast<std::size_t>((count + 7) / 8));
}

/// Ends `row` of a block whose 16 sums are `values`, which it overwrites.
HWY_INLINE void finish_row(const Int4Output& output, std::int64_t n, std::int64_t row, std::int64_t block,
                           float* values) {
  const std::int64_t column = block * Int4Shape::kColumns, count = std::min(Int4Shape::kColumns, n - column);
  if (output.bias != nullptr) {
    if (count == Int4Shape::kColumns)
      for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes())
        hn::StoreU(hn::Add(hn::LoadU(f32, values + lane), hn::LoadU(f32, output.bias + column + lane)), f32,
                   values + lane);
    else
      for (std::int64_t c = 0; c < count; ++c) values[c] += output.bias[column + c];
  }
  if (output.relu) {
    if (output.relu_mask != nullptr)
      store_relu_mask(values, count, output.relu_mask + row * ((n + 7) / 8) + column / 8);
    for (std::int64_t lane = 0; lane < Int4Shape::kColumns; lane += lanes()) {
      const auto value = hn::LoadU(f32, values + lane);
      hn::StoreU(hn::IfThenZeroElse(hn::Lt(value, hn::Zero(f32)), value), f32, values + lane);
    }
  }
  float* y = output.y + row * output.stride + column;
  if (count == Int4Shape::kColumns)
    std::memcpy(y, values, sizeof(float) * Int4Shape::kColumns);
  else
    std::memcpy(y, values, sizeof(float) * static_cast<std::size_t>(count));
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
