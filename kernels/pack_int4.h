// Two 4-bit codes a byte, the first in the low nibble: how INT4 weights are stored and exported.
#pragma once

#include <cstdint>

namespace samebits::kernels {

constexpr std::int64_t packed_int4_bytes(std::int64_t n) { return (n + 1) / 2; }

/// Packs n codes of [-8, 7] as two's-complement nibbles; an odd last high nibble is 0.
void pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed);

/// The n codes back, sign-extended.
void unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes);

}  // namespace samebits::kernels
