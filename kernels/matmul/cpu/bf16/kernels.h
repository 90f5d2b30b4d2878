// What the implementations of gemm_bf16 share, and the entries that are not Highway's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/matmul/gemm_bf16.h"

namespace samebits::kernels {

/// `count` <= 16 bits of a mask from bit i on, in the low bits. Reads the bytes that hold them and no other.
inline unsigned mask_bits_at(const std::uint8_t* mask, std::int64_t i, std::int64_t count) {
  const std::int64_t last_byte = (i + count - 1) / 8;
  unsigned bits = 0;
  for (std::int64_t byte = i / 8, shift = 0; byte <= last_byte; ++byte, shift += 8)
    bits |= static_cast<unsigned>(mask[byte]) << shift;
  return bits >> (i % 8) & ((1u << count) - 1u);
}

namespace amx {
void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region);
}
namespace avx512_bf16 {
/// Also where the processor's FMA is faster than its vdpbf16ps, unless SAMEBITS_ISA asks for it.
std::string why_not();
void gemm_bf16(const GemmBf16Args& args, const GemmRegion& region);
}  // namespace avx512_bf16

}  // namespace samebits::kernels
