// kernels/formats/pack_int4.h on CUDA: a thread packs 16 codes into 8 bytes, or unpacks them; byte by byte
// where arrays are not aligned for that, or end.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/formats/cuda/nibbles.cuh"
#include "kernels/formats/pack_int4.h"

namespace samebits::kernels::cuda {

constexpr std::int64_t kPackedCodes = 16;  // a thread

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x * kPackedCodes;
  std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPackedCodes;
  for (; first < n; first += stride) {
    const bool is_whole = first + kPackedCodes <= n;
    if (is_whole && is_aligned<uint4>(codes) && is_aligned<uint2>(packed)) {
      const uint4 v = *reinterpret_cast<const uint4*>(codes + first);
      *reinterpret_cast<uint2*>(packed + first / 2) =
          make_uint2(nibbles_of_bytes(v.x) | nibbles_of_bytes(v.y) << 16,
                     nibbles_of_bytes(v.z) | nibbles_of_bytes(v.w) << 16);
      continue;
    }
    for (std::int64_t i = first; i < n && i < first + kPackedCodes; i += 2) {
      const unsigned low = static_cast<unsigned>(codes[i]) & 0xFu;
      const unsigned high = i + 1 < n ? static_cast<unsigned>(codes[i + 1]) & 0xFu : 0u;
      packed[i / 2] = static_cast<std::uint8_t>(low | high << 4);
    }
  }
}

/// Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x * kPackedCodes;
  std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPackedCodes;
  for (; first < n; first += stride) {
    const bool is_whole = first + kPackedCodes <= n;
    if (is_whole && is_aligned<uint4>(codes) && is_aligned<uint2>(packed)) {
      const uint2 v = *reinterpret_cast<const uint2*>(packed + first / 2);
      *reinterpret_cast<uint4*>(codes + first) =
          make_uint4(bytes_of_nibbles(v.x), bytes_of_nibbles(v.x >> 16), bytes_of_nibbles(v.y),
                     bytes_of_nibbles(v.y >> 16));
      continue;
    }
    for (std::int64_t i = first; i < n && i < first + kPackedCodes; ++i)
      codes[i] =
          static_cast<std::int8_t>(bytes_of_nibbles(static_cast<unsigned>(packed[i / 2]) >> (i % 2 * 4)));
  }
}

}  // namespace samebits::kernels::cuda
