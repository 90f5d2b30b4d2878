// Four bytes as four nibbles, and back: what pack_int4 and the products with 4-bit weights share.
#pragma once

#include "kernels/common/cuda/launch.h"

namespace samebits::kernels::cuda {

/// Four codes, a byte each, as four nibbles, the first in the low bits.
__device__ inline unsigned nibbles_of_bytes(unsigned bytes) {
  return (bytes & 0xFu) | (bytes >> 4 & 0xF0u) | (bytes >> 8 & 0xF00u) | (bytes >> 12 & 0xF000u);
}

/// Four nibbles, sign-extended to a byte each.
__device__ inline unsigned bytes_of_nibbles(unsigned nibbles) {
  const unsigned bytes =
      (nibbles & 0xFu) | (nibbles & 0xF0u) << 4 | (nibbles & 0xF00u) << 8 | (nibbles & 0xF000u) << 12;
  return bytes | (bytes & 0x08080808u) * 30u;  // a set bit 3 fills bits 4 to 7: 8 * 30 = 0xF0
}

}  // namespace samebits::kernels::cuda
