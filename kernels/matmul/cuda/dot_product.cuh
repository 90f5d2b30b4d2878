// Four products of int8 at once, and the byte arithmetic that prepares their operands: words of four codes.
// One instruction on the device, the same integers elsewhere.
#pragma once

#include <cstdint>

#include "kernels/common/cuda/launch.h"

namespace samebits::kernels::cuda {

/// Byte i of a word, 0 the lowest, as int8.
__device__ inline std::int32_t byte_of(unsigned word, int i) {
  return static_cast<std::int8_t>(static_cast<std::uint8_t>(word >> (8 * i)));
}

/// sum + the products of the four bytes of a and b, all int8. Exact in int32, the caller's bound.
__device__ inline std::int32_t dot4(unsigned a, unsigned b, std::int32_t sum) {
#ifdef __CUDA_ARCH__
  return __dp4a(static_cast<int>(a), static_cast<int>(b), sum);
#else
  for (int i = 0; i < 4; ++i) sum += byte_of(a, i) * byte_of(b, i);
  return sum;
#endif
}

/// Byte by byte a - b, modulo 256: no borrow passes from one byte to the next.
__device__ inline unsigned subtract_bytes(unsigned a, unsigned b) {
  constexpr unsigned kSigns = 0x80808080u;
  return ((a | kSigns) - (b & ~kSigns)) ^ ((a ^ ~b) & kSigns);
}

/// A byte in all four places.
__device__ inline unsigned four_bytes(std::int32_t byte) {
  return (static_cast<unsigned>(byte) & 0xFFu) * 0x01010101u;
}

/// The lowest `count` bytes of a word, zeros above: count <= 0 none, >= 4 all.
__device__ inline unsigned lowest_bytes(unsigned word, int count) {
  return count >= 4 ? word : count <= 0 ? 0u : word & ((1u << (8 * count)) - 1u);
}

}  // namespace samebits::kernels::cuda
