// How one bit of a clip mask is written by code that walks elements in order.
#pragma once

#include <cstdint>

namespace samebits::kernels::reference {

/// Sets bit i % 8 of byte i / 8 and clears the bits above it; the bits below are kept.
inline void append_clip_bit(std::uint8_t* clip_mask, std::int64_t i, bool clipped) {
  const unsigned bit = static_cast<unsigned>(i % 8);
  const unsigned earlier = bit == 0 ? 0u : clip_mask[i / 8] & ((1u << bit) - 1u);
  clip_mask[i / 8] = static_cast<std::uint8_t>(earlier | (clipped ? 1u << bit : 0u));
}

}  // namespace samebits::kernels::reference
