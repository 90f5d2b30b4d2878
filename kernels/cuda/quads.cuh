// How element-wise kernels walk an array: four neighbours, a quad, a thread. Whole quads of aligned arrays
// move as one vector of up to 16 bytes; the last quad, and arrays that start elsewhere (views), move by
// elements.
#pragma once

#include <cstdint>

#include "kernels/cuda/launch.h"

namespace samebits::kernels::cuda {

constexpr unsigned kAllLanes = 0xFFFFFFFFu;
constexpr std::int64_t kQuadsPerBlock = kThreads;

/// Blocks for a kernel that walks n elements by for_each_quad.
inline unsigned blocks_for_quads(std::int64_t n) {
  return blocks_for((n + 3) / 4, kQuadsPerBlock);
}

/// Calls body(first, count) for the quads of [0, n), `count` of 1 to 4 elements from `first` on. All lanes of
/// a warp call it together, those past the end with count 0, so that the body may exchange values between
/// them. Works with any number of blocks of a multiple of 32 threads.
template <class Body>
__device__ void for_each_quad(std::int64_t n, Body body) {
  const std::int64_t quads = (n + 3) / 4, stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t base = static_cast<std::int64_t>(blockIdx.x) * blockDim.x; base < quads; base += stride) {
    const std::int64_t first = (base + threadIdx.x) * 4, left = n - first;
    body(first, static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4));
  }
}

template <class Vector>
__device__ bool is_aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % alignof(Vector) == 0;
}

/// x[0..count), zeros behind it.
__device__ inline void load_quad(const float* x, int count, float (&r)[4]) {
  if (count == 4 && is_aligned<float4>(x)) {
    const float4 v = *reinterpret_cast<const float4*>(x);
    r[0] = v.x, r[1] = v.y, r[2] = v.z, r[3] = v.w;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) r[i] = i < count ? x[i] : 0.0f;
}

__device__ inline void load_quad(const std::int8_t* x, int count, std::int32_t (&r)[4]) {
  if (count == 4 && is_aligned<char4>(x)) {
    const char4 v = *reinterpret_cast<const char4*>(x);
    r[0] = v.x, r[1] = v.y, r[2] = v.z, r[3] = v.w;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) r[i] = i < count ? x[i] : 0;
}

/// y[0..count) = r.
__device__ inline void store_quad(float* y, int count, const float (&r)[4]) {
  if (count == 4 && is_aligned<float4>(y)) {
    *reinterpret_cast<float4*>(y) = make_float4(r[0], r[1], r[2], r[3]);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) y[i] = r[i];
}

/// The same for numbers that fit int8.
__device__ inline void store_quad(std::int8_t* y, int count, const std::int32_t (&r)[4]) {
  if (count == 4 && is_aligned<char4>(y)) {
    *reinterpret_cast<char4*>(y) = make_char4(static_cast<signed char>(r[0]), static_cast<signed char>(r[1]),
                                              static_cast<signed char>(r[2]), static_cast<signed char>(r[3]));
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) y[i] = static_cast<std::int8_t>(r[i]);
}

__device__ inline void store_quad(std::uint8_t* y, int count, const std::int32_t (&r)[4]) {
  store_quad(reinterpret_cast<std::int8_t*>(y), count, r);  // the same bits
}

/// Stores the clip bits of a quad, bit i of `bits` that of element first + i. Two neighbouring lanes share a
/// byte: the lower one writes it, so no two threads write the same. For all lanes of a warp together.
__device__ inline void store_clip_bits(std::uint8_t* clip_mask, std::int64_t first, int count,
                                       unsigned bits) {
  const unsigned own = bits & ((1u << count) - 1u);
  const unsigned next = __shfl_down_sync(kAllLanes, own, 1);
  if (first % 8 == 0 && count > 0) clip_mask[first / 8] = static_cast<std::uint8_t>(own | next << 4);
}

/// The clip bits of a quad with count > 0.
__device__ inline unsigned load_clip_bits(const std::uint8_t* clip_mask, std::int64_t first) {
  return static_cast<unsigned>(clip_mask[first / 8]) >> (first % 8);
}

/// Raises the NaN flag if any lane of the warp asks for it. For all lanes together.
__device__ inline void report_nan(bool has_nan, int* saw_nan) {
  const bool any = __any_sync(kAllLanes, has_nan ? 1 : 0) != 0;
  if (any && threadIdx.x % 32 == 0) atomicOr(saw_nan, 1);
}

}  // namespace samebits::kernels::cuda
