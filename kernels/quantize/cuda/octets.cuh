// How kernels quantize a run of elements that share one grid: eight neighbours, an octet, a thread, which
// makes a byte of the clip mask alone. The quotient is the corrected reciprocal of docs/numerics.md §3 where
// its proof holds, the division elsewhere; rounding is by a constant, as there.
#pragma once

#include <math.h>

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/bf16.h"
#include "kernels/common/cuda/quads.cuh"

namespace samebits::kernels::cuda {

/// 1.5 * 2^23: the last bit of a sum with it is worth 1.
constexpr float kRounder = 0x1.8p23f;

/// A grid of codes within [-128, 127], with what is made of it once.
struct OctetGrid {
  float scale, reciprocal;
  float low, high;  // kRounder + (qmin - zero_point), kRounder + (qmax - zero_point)
  std::int32_t zero_point;
  bool is_corrected;

  __device__ explicit OctetGrid(const AffineGrid& grid)
      : scale(grid.scale),
        reciprocal(1.0f / grid.scale),
        low(kRounder + static_cast<float>(grid.qmin - grid.zero_point)),
        high(kRounder + static_cast<float>(grid.qmax - grid.zero_point)),
        zero_point(grid.zero_point),
        is_corrected(grid.scale >= 0x1p-101f && grid.scale <= 0x1p126f) {}
};

/// What rint makes the quotient's integer of. NaN stays NaN.
__device__ inline float corrected_quotient(float r, const OctetGrid& grid) {
  const float near = fmaxf(fminf(r * grid.reciprocal, 1024.0f), -1024.0f);
  return __fmaf_rn(__fmaf_rn(-near, grid.scale, r), grid.reciprocal, near);
}

struct Octet {
  std::int32_t centered[8];  // code - zero_point; 0 for a NaN
  unsigned clip_bits;        // bit i: element i was clipped, or stopped by the relu
  bool has_nan;
};

/// The codes of r; `kFoldRelu` as in kernels/quantize/quantize.h.
template <bool kFoldRelu>
__device__ Octet quantize_octet(const float (&r)[8], const OctetGrid& grid) {
  Octet octet{};
  float quotient[8];
  if (grid.is_corrected) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
      quotient[i] = corrected_quotient(kFoldRelu && r[i] <= 0.0f ? 0.0f : r[i], grid);
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) quotient[i] = (kFoldRelu && r[i] <= 0.0f ? 0.0f : r[i]) / grid.scale;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float rounded = quotient[i] + kRounder;
    const float inside = fminf(fmaxf(rounded, grid.low), grid.high);  // never NaN
    octet.clip_bits |= static_cast<unsigned>(inside != rounded || (kFoldRelu && r[i] <= 0.0f)) << i;
    octet.has_nan |= isnan(rounded) != 0;  // no branch an element
    octet.centered[i] = __float_as_int(inside) - __float_as_int(kRounder);
  }
  if (octet.has_nan) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (isnan(quotient[i])) octet.centered[i] = 0;
  }
  return octet;
}

/// Calls body(first, count) for the octets of [0, n), by `threads` threads of which the caller is number
/// `own`.
template <class Body>
__device__ void for_each_octet(std::int64_t n, std::int64_t own, std::int64_t threads, Body body) {
  for (std::int64_t first = own * 8; first < n; first += threads * 8)
    body(first, n - first < 8 ? static_cast<int>(n - first) : 8);
}
/// By all threads of a launch.
template <class Body>
__device__ void for_each_octet(std::int64_t n, Body body) {
  for_each_octet(n, static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x,
                 static_cast<std::int64_t>(gridDim.x) * blockDim.x, body);
}

/// Elements [first, first + count) of x, which holds Stored, as float32; zeros behind them.
template <class Stored>
__device__ void load_octet(const void* x, std::int64_t first, int count, float (&r)[8]) {
  float low[4], high[4];
  load_reals<Stored>(x, first, count < 4 ? count : 4, low);
  load_reals<Stored>(x, first + 4, count < 4 ? 0 : count - 4, high);
#pragma unroll
  for (int i = 0; i < 4; ++i) r[i] = low[i], r[i + 4] = high[i];
}

/// Four integers of int8 in a word, the first one lowest.
__device__ inline unsigned packed_bytes(std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
  const auto byte = [](std::int32_t value) { return static_cast<unsigned>(value) & 0xFFu; };
  return byte(a) | byte(b) << 8 | byte(c) << 16 | byte(d) << 24;
}

/// codes[0, count) = centered + offset.
__device__ inline void store_octet(std::int8_t* codes, int count, const Octet& octet, std::int32_t offset) {
  const std::int32_t(&c)[8] = octet.centered;
  if (count == 8 && is_aligned<uint2>(codes)) {
    *reinterpret_cast<uint2*>(codes) = {
        packed_bytes(c[0] + offset, c[1] + offset, c[2] + offset, c[3] + offset),
        packed_bytes(c[4] + offset, c[5] + offset, c[6] + offset, c[7] + offset)};
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (i < count) codes[i] = static_cast<std::int8_t>(c[i] + offset);
}

/// y[0, count) = values, integers within ±256, which bfloat16 holds exactly.
__device__ inline void store_exact(Bf16* y, int count, const std::int32_t (&values)[8]) {
  const auto bits = [&](int i) { return float_bits(static_cast<float>(values[i])) >> 16; };
  if (count == 8 && is_aligned<uint4>(y)) {
    *reinterpret_cast<uint4*>(y) = {bits(0) | bits(1) << 16, bits(2) | bits(3) << 16, bits(4) | bits(5) << 16,
                                    bits(6) | bits(7) << 16};
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (i < count) y[i] = static_cast<Bf16>(bits(i));
}

/// The bits of the `count` elements that there are.
__device__ inline std::uint8_t clip_byte(const Octet& octet, int count) {
  return static_cast<std::uint8_t>(octet.clip_bits & ((1u << count) - 1u));
}

/// Blocks for a kernel that walks n elements by for_each_octet.
inline unsigned blocks_for_octets(std::int64_t n) {
  return blocks_for((n + 7) / 8, kThreads);
}

}  // namespace samebits::kernels::cuda
