// CUDA's built-in vector types and the part of its runtime that launchers call, so that the emulator needs no
// CUDA toolkit. Sizes and alignments are those of the programming guide.
#pragma once

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1)
      : x(width), y(height), z(depth) {}
};

#define SAMEBITS_VECTOR(type, element, suffix_alignment)                \
  struct alignas(suffix_alignment) type {                               \
    element x, y, z, w;                                                 \
  };                                                                    \
  inline type make_##type(element x, element y, element z, element w) { \
    return {x, y, z, w};                                                \
  }
SAMEBITS_VECTOR(char4, signed char, 4)
SAMEBITS_VECTOR(uchar4, unsigned char, 4)
SAMEBITS_VECTOR(ushort4, unsigned short, 8)
SAMEBITS_VECTOR(int4, int, 16)
SAMEBITS_VECTOR(uint4, unsigned, 16)
SAMEBITS_VECTOR(float4, float, 16)
#undef SAMEBITS_VECTOR

#define SAMEBITS_VECTOR(type, element, suffix_alignment) \
  struct alignas(suffix_alignment) type {                \
    element x, y;                                        \
  };                                                     \
  inline type make_##type(element x, element y) {        \
    return {x, y};                                       \
  }
SAMEBITS_VECTOR(int2, int, 8)
SAMEBITS_VECTOR(uint2, unsigned, 8)
SAMEBITS_VECTOR(float2, float, 8)
#undef SAMEBITS_VECTOR

// ---- the runtime, as far as a launcher that neither allocates nor waits may use it: what is missing here
// does not compile ----
struct CUstream_st;
using cudaStream_t = CUstream_st*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidConfiguration = 9 };
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  unsigned long dynamicSmemBytes = 0;  // the emulator has none: leave it 0
  cudaStream_t stream = nullptr;
};
