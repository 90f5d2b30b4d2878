// How element-wise kernels walk an array: four neighbours, a quad, a thread. Whole quads of aligned arrays
// move as one vector of up to 16 bytes; the last quad, and arrays that start elsewhere (views), move by
// elements.
#pragma once

#include <cstdint>

#include "kernels/common/cuda/launch.h"
#include "kernels/common/float_type.h"

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

/// How four elements move at once: the vector of their size, and one of its parts as an element and back.
template <class T>
struct QuadOf;
template <>
struct QuadOf<float> {
  using Vector = float4;
  __device__ static float element(float part) { return part; }
  __device__ static float part(float element) { return element; }
};
template <>
struct QuadOf<std::int32_t> {
  using Vector = int4;
  __device__ static std::int32_t element(int part) { return part; }
  __device__ static int part(std::int32_t element) { return element; }
};
template <>
struct QuadOf<std::int8_t> {
  using Vector = char4;
  __device__ static std::int8_t element(signed char part) { return part; }
  __device__ static signed char part(std::int8_t element) { return element; }
};
template <>
struct QuadOf<std::uint8_t> {
  using Vector = uchar4;
  __device__ static std::uint8_t element(unsigned char part) { return part; }
  __device__ static unsigned char part(std::uint8_t element) { return element; }
};
template <>
struct QuadOf<Bfloat16> {
  using Vector = ushort4;
  __device__ static Bfloat16 element(unsigned short part) { return {part}; }
  __device__ static unsigned short part(Bfloat16 element) { return element.bits; }
};
template <>
struct QuadOf<Float16> {
  using Vector = ushort4;
  __device__ static Float16 element(unsigned short part) { return {part}; }
  __device__ static unsigned short part(Float16 element) { return element.bits; }
};

/// x[0..count), zeros behind it.
template <class T>
__device__ void load_quad(const T* x, int count, T (&r)[4]) {
  using Quad = QuadOf<T>;
  if (count == 4 && is_aligned<typename Quad::Vector>(x)) {
    const auto v = *reinterpret_cast<const typename Quad::Vector*>(x);
    r[0] = Quad::element(v.x), r[1] = Quad::element(v.y), r[2] = Quad::element(v.z),
    r[3] = Quad::element(v.w);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) r[i] = i < count ? x[i] : T();
}

/// y[0..count) = r.
template <class T>
__device__ void store_quad(T* y, int count, const T (&r)[4]) {
  using Quad = QuadOf<T>;
  if (count == 4 && is_aligned<typename Quad::Vector>(y)) {
    *reinterpret_cast<typename Quad::Vector*>(y) = {Quad::part(r[0]), Quad::part(r[1]), Quad::part(r[2]),
                                                    Quad::part(r[3])};
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) y[i] = r[i];
}

/// Elements [first, first + count) of x, which holds Stored, as float32.
template <class Stored>
__device__ void load_reals(const void* x, std::int64_t first, int count, float (&r)[4]) {
  Stored stored[4];
  load_quad(static_cast<const Stored*>(x) + first, count, stored);
#pragma unroll
  for (int i = 0; i < 4; ++i) r[i] = to_float(stored[i]);
}

/// The same elements of y, rounded to Stored.
template <class Stored>
__device__ void store_reals(void* y, std::int64_t first, int count, const float (&r)[4]) {
  Stored stored[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) stored[i] = round_to<Stored>(r[i]);
  store_quad(static_cast<Stored*>(y) + first, count, stored);
}

/// The same elements of `codes`, of a type of one byte.
template <class Code>
__device__ void store_codes(Code* codes, std::int64_t first, int count, const std::int32_t (&r)[4]) {
  Code stored[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) stored[i] = static_cast<Code>(r[i]);
  store_quad(codes + first, count, stored);
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

/// Raises the NaN flag, unless it is null, if any lane of the warp asks for it. For all lanes together.
__device__ inline void report_nan(bool has_nan, int* saw_nan) {
  if (saw_nan == nullptr) return;
  const bool any = __any_sync(kAllLanes, has_nan ? 1 : 0) != 0;
  if (any && threadIdx.x % 32 == 0) atomicOr(saw_nan, 1);
}

}  // namespace samebits::kernels::cuda
